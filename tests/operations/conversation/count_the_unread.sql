SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND coalesce(conversations.last_message_at > conversations.read_at, conversations.read_at IS NULL) AND conversations.account_id = any($2::BIGINT[]) GROUP BY conversations.account_id;
