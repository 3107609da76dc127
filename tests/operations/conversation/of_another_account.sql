SELECT row.id, row.subject, row.assignee_id, assignee_id.id AS "assignee_id.id", assignee_id.lastname AS "assignee_id.lastname"
FROM (SELECT conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.lastname AS lastname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.assignee_id
LIMIT 1) AS assignee_id ON true;

SELECT parent.position, row.id, row.reference
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id, bookings.reference AS reference
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT 21) AS row ON true;

SELECT parent.position, row.id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest(ARRAY[$2::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.content AS content
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT 21) AS row ON true;
