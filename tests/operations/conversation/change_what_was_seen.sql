SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT messages.created_at
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = $2::BIGINT AND messages.conversation_id = $3::BIGINT;

SELECT conversations.id, date_part('epoch', conversations.read_at) AS read_at_seconds, conversations.unread_count
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT conversations.id, date_part('epoch', conversations.closed_at) AS closed_at_seconds
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;

SELECT conversations.id, date_part('epoch', conversations.closed_at) AS closed_at_seconds
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT conversations.id, conversations.external_digest
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.created_by_type = $2 AND conversations.created_by_id = $3::BIGINT AND conversations.external_id = $4::VARCHAR;

INSERT INTO conversations (external_id, external_digest, created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, subject, assignee_id, source_id, default_channel, closed_at, deadline_response_at, read_at, booking_statuses, unread_count, undelivered_count, wait_ended_at) VALUES ($1::VARCHAR, $2::BYTEA, $3, $4::BIGINT, $5::BIGINT, $6::BIGINT, $7::TIMESTAMP WITH TIME ZONE, $8::TIMESTAMP WITH TIME ZONE, $9::BIGINT, $10::VARCHAR, $11::BIGINT, $12::BIGINT, $13, $14::TIMESTAMP WITH TIME ZONE, $15::TIMESTAMP WITH TIME ZONE, $16::TIMESTAMP WITH TIME ZONE, $17::SMALLINT, $18::INTEGER, $19::INTEGER, $20::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, external_id, created_by_type, created_by_id) WHERE external_id IS NOT NULL DO NOTHING RETURNING conversations.id;

-- db.queries.derivation.TEXTS;

EXECUTE log_change (1, 1, 'CONVERSATION', 1000, 1000, 'UPSERTED', '{CONVERSATION_CREATED}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT conversations.external_id, conversations.id, conversations.read
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);
