SELECT messages.account_id AS parent, count(*) AS total
FROM messages
WHERE messages.account_id = $1::BIGINT AND (search_texts(messages.account_id, ARRAY[messages.content]) @@ search_query($1::BIGINT, $2::VARCHAR)) AND messages.account_id = any($3::BIGINT[]) GROUP BY messages.account_id;

SELECT parent.position, row.id, row.conversation_id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, row.sent_at, conversation_id.id AS "conversation_id.id", conversation_id.subject AS "conversation_id.subject", sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.conversation_id AS conversation_id, messages.content AS content, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.id = any(array((SELECT found.id
FROM (SELECT messages.sent_at AS value, messages.id AS id
FROM messages
WHERE messages.account_id = $3::BIGINT AND (search_texts(messages.account_id, ARRAY[messages.content]) @@ search_query($3::BIGINT, $4::VARCHAR)) ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT ALL OFFSET 0) AS found ORDER BY found.value DESC, found.id DESC
LIMIT $5))) AND messages.account_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT $5) AS row ON true LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id, conversations.subject AS subject
FROM conversations
WHERE conversations.account_id = $3::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true;

SELECT parent.position, row.id, date_part('epoch', row.sent_at) AS sent_at_seconds
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = any($3::BIGINT[]) AND messages.visibility = $4 AND messages.account_id = parent.key ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT $5) AS row ON true;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.id = any($3::BIGINT[]) AND messages.external_id IS NOT NULL AND messages.external_id = any($4::VARCHAR(255)[]) AND messages.updated_at >= $5::TIMESTAMP WITH TIME ZONE AND (messages.updated_at >= $5::TIMESTAMP WITH TIME ZONE) IS true AND messages.account_id = parent.key ORDER BY messages.id ASC
LIMIT $6) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT messages.id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.account_id = parent.key AND messages.id >= $3::BIGINT ORDER BY messages.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT messages.id AS id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.account_id = parent.key AND messages.id < $3::BIGINT ORDER BY messages.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT messages.id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.account_id = parent.key AND messages.id <= $3::BIGINT ORDER BY messages.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT messages.id AS id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.account_id = parent.key AND messages.id > $3::BIGINT ORDER BY messages.id DESC
LIMIT 2) AS row ON true;
