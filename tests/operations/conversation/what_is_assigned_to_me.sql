SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND (SELECT count(*) AS count_1
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT)) > 0 AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT) AND ((SELECT count(*) AS count_1
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT)) > 0 AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT)) IS true AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $4) AS row ON true;

SELECT parent.position, row.id, CASE WHEN (sum(coalesce(octet_length(row.beginning), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.beginning END AS beginning, sum(coalesce(octet_length(row.beginning), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, left(messages.content, 4001) AS beginning
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.visibility = $4 AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT $5) AS row ON true;

SELECT parent.position, row.id, CASE WHEN (sum(coalesce(octet_length(row.beginning), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.beginning END AS beginning, sum(coalesce(octet_length(row.beginning), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, left(messages.content, 4001) AS beginning
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.visibility = $4 AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT $5) AS row ON true;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND NOT ((SELECT count(*) AS count_1
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT)) > 0 AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT)) AND (NOT ((SELECT count(*) AS count_1
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT)) > 0 AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT))) IS true AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $4) AS row ON true;
