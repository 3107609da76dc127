SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE, read_at=$2::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $3::BIGINT AND conversations.id = $4::BIGINT;

-- db.queries.derivation.COUNTERS;

EXECUTE log_change (1, 1, 'CONVERSATION', 1, 1, 'UPSERTED', '{CONVERSATION_UPDATED}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT conversations.id, date_part('epoch', conversations.read_at) AS read_at_seconds, conversations.read
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT count(*) FILTER (WHERE NOT conversations.read) AS unread
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT conversations.id, conversations.read
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;
