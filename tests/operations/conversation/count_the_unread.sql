SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND NOT (conversations.read_at IS NOT NULL AND (conversations.last_message_at IS NULL OR conversations.last_message_at <= conversations.read_at)) AND conversations.account_id = any($2::BIGINT[]) GROUP BY conversations.account_id;
