SELECT messages.id, messages.conversation_id, messages.content
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.relayed_id = $2::VARCHAR AND messages.relayed_by_id = $3::BIGINT;

SELECT messages.id, messages.external_digest
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.created_by_type = $2 AND messages.created_by_id = $3::BIGINT AND messages.external_id = $4::VARCHAR;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT participants.created_at, participants.updated_at, participants.account_id, participants.id, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = $2::BIGINT AND participants.conversation_id = $3::BIGINT;

UPDATE participants SET updated_at=$1::TIMESTAMP WITH TIME ZONE, last_message_sent_at=$2::TIMESTAMP WITH TIME ZONE WHERE participants.account_id = $3::BIGINT AND participants.id = $4::BIGINT;

INSERT INTO messages (external_id, external_digest, created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, conversation_id, sender_id, content, channel, origin, visibility, sent_at, automatic, delivery_attempts) VALUES ($1::VARCHAR, $2::BYTEA, $3, $4::BIGINT, $5::BIGINT, $6::BIGINT, $7::TIMESTAMP WITH TIME ZONE, $8::TIMESTAMP WITH TIME ZONE, $9::BIGINT, $10::BIGINT, $11::BIGINT, $12::VARCHAR, $13, $14, $15, $16::TIMESTAMP WITH TIME ZONE, $17::BOOLEAN, $18::SMALLINT) ON CONFLICT (account_id, external_id, created_by_type, created_by_id) WHERE external_id IS NOT NULL DO NOTHING RETURNING messages.id;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $2::BIGINT AND conversations.id = $3::BIGINT;

-- db.queries.derivation.COUNTERS;

-- db.queries.derivation.TEXTS;

EXECUTE log_changes (1, 3, '{PARTICIPANT,MESSAGE,CONVERSATION}', '{1,1000,1}', '{1,1,1}', '{UPSERTED,UPSERTED,UPSERTED}', '{"{}","{MESSAGE_CREATED}","{}"}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT messages.external_id, messages.id, messages.conversation_id, CASE WHEN (sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN messages.content END AS content, messages.automatic, sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.id = any(ARRAY[$3::BIGINT]);

SELECT conversations.id, conversations.unread_count, date_part('epoch', conversations.waiting_since) AS waiting_since_seconds
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT messages.conversation_id AS parent, count(*) AS total
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.external_id IS NOT NULL AND messages.external_id = any($2::VARCHAR(255)[]) AND messages.conversation_id = any($3::BIGINT[]) GROUP BY messages.conversation_id;

SELECT parent.position, row.external_id, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.external_id AS external_id, messages.id AS id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.external_id IS NOT NULL AND messages.external_id = any($3::VARCHAR(255)[]) AND messages.conversation_id = parent.key ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT $4) AS row ON true;

SELECT messages.id, messages.conversation_id, messages.content
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.relayed_id = $2::VARCHAR AND messages.relayed_by_id = $3::BIGINT;

SELECT messages.id, messages.external_digest
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.created_by_type = $2 AND messages.created_by_id = $3::BIGINT AND messages.external_id = $4::VARCHAR;

SELECT row.id, row.conversation_id, conversation_id.id AS "conversation_id.id", conversation_id.unread_count AS "conversation_id.unread_count"
FROM (SELECT messages.id AS id, messages.conversation_id AS conversation_id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id, conversations.unread_count AS unread_count
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true;

SELECT messages.id, messages.conversation_id, messages.content
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.relayed_id = $2::VARCHAR AND messages.relayed_by_id = $3::BIGINT;

SELECT messages.id, messages.external_digest
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.created_by_type = $2 AND messages.created_by_id = $3::BIGINT AND messages.external_id = $4::VARCHAR;
