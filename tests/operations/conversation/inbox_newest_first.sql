SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.account_id = any(ARRAY[$2::BIGINT]) GROUP BY conversations.account_id;

SELECT parent.position, row.id, row.last_message_at, date_part('epoch', row.last_message_at) AS last_message_at_seconds
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id, conversations.last_message_at AS last_message_at
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT 21) AS row ON true;

SELECT parent.position, row.id, row.sender_id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.sender_id AS sender_id, messages.content AS content
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.visibility = $4 AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT $5) AS row ON true;

SELECT participants.id, participants.client_id, participants.host_id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any($2::BIGINT[]);

SELECT hosts.id, hosts.firstname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any(ARRAY[$2::BIGINT]);
