SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.waiting_since IS NOT NULL AND conversations.account_id = any($2::BIGINT[]) GROUP BY conversations.account_id;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.waiting_since IS NOT NULL AND (conversations.waiting_since IS NOT NULL) IS true AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.waiting_since IS NULL) THEN 'infinity'::timestamptz ELSE conversations.waiting_since END ASC, conversations.id ASC
LIMIT $3) AS row ON true;

SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE false GROUP BY conversations.account_id;
