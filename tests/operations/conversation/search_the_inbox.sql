SELECT count(*) AS total, $1::BIGINT AS parent
FROM conversation_texts
WHERE conversation_texts.account_id = $1::BIGINT AND (conversation_texts.words @@ search_query($1::BIGINT, $2::VARCHAR));

WITH ranked AS MATERIALIZED
(SELECT conversations.id AS id, (SELECT CAST(ts_rank(conversation_texts.words, (SELECT search_query($2::BIGINT, $3::VARCHAR) AS search_query_1)) AS DOUBLE PRECISION) AS ts_rank_1
FROM conversation_texts
WHERE conversation_texts.account_id = $2::BIGINT AND conversation_texts.conversation_id = conversations.id) AS relevance
FROM conversations JOIN (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND (EXISTS (SELECT conversation_texts.conversation_id
FROM conversation_texts
WHERE conversation_texts.account_id = $2::BIGINT AND conversation_texts.conversation_id = conversations.id AND (conversation_texts.words @@ search_query($2::BIGINT, $4::VARCHAR)))) ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT 2000) AS first ON first.id = conversations.id
WHERE conversations.account_id = $2::BIGINT)
SELECT parent.position, row.id, row.subject, row.relevance
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id, conversations.subject AS subject, ranked.relevance AS relevance
FROM conversations JOIN ranked ON ranked.id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key ORDER BY relevance DESC, conversations.id DESC
LIMIT $5) AS row ON true;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND (EXISTS (SELECT conversation_texts.conversation_id
FROM conversation_texts
WHERE conversation_texts.account_id = $2::BIGINT AND conversation_texts.conversation_id = conversations.id AND (conversation_texts.words @@ search_query($2::BIGINT, $3::VARCHAR)))) AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $4) AS row ON true;

SELECT parent.position, row.id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest(ARRAY[$2::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.content AS content
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 2) AS row ON true;

SELECT count(*) AS total, $1::BIGINT AS parent
FROM conversation_texts
WHERE conversation_texts.account_id = $1::BIGINT AND (conversation_texts.words @@ search_query($1::BIGINT, $2::VARCHAR));
