SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND NOT conversations.read AND conversations.account_id = any($2::BIGINT[]) GROUP BY conversations.account_id;
