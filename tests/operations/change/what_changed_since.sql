SELECT epochs.value AS epoch, coalesce(c.number, 0) AS number, coalesce(c.removed, 0) AS removed
FROM epochs LEFT JOIN change_counters c ON c.account_id = $1;

SELECT epochs.value AS epoch, coalesce(c.number, 0) AS number, coalesce(c.removed, 0) AS removed
FROM epochs LEFT JOIN change_counters c ON c.account_id = $1;

SELECT changes.number, changes.type, changes.node_id, changes.conversation_id, changes.operation
FROM changes
WHERE changes.account_id = $1::BIGINT AND changes.number > $2::BIGINT ORDER BY changes.number
LIMIT $3::INTEGER;

SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT messages.id, CASE WHEN (sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN messages.content END AS content, sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.id = any(ARRAY[$3::BIGINT]);

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any(ARRAY[$2::BIGINT]);

SELECT conversations.id, conversations.subject
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT epochs.value AS epoch, coalesce(c.number, 0) AS number, coalesce(c.removed, 0) AS removed
FROM epochs LEFT JOIN change_counters c ON c.account_id = $1;

SELECT changes.number, changes.type, changes.node_id, changes.conversation_id, changes.operation
FROM changes
WHERE changes.account_id = $1::BIGINT AND changes.number > $2::BIGINT AND changes.conversation_id = $3::BIGINT ORDER BY changes.number
LIMIT $4::INTEGER;
