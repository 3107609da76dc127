SELECT messages.conversation_id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = $2::BIGINT;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT messages.account_id, messages.id, messages.conversation_id, messages.updated_at, messages.relayed_id, messages.relayed_by_id, messages.delivery_state, messages.delivery_at, messages.delivery_error, messages.delivery_attempts
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = $2::BIGINT;

SELECT messages.id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.relayed_by_id = $2::BIGINT AND messages.relayed_id = $3::VARCHAR;

SELECT messages.id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.created_by_id = $2::BIGINT AND messages.external_id = $3::VARCHAR AND messages.created_by_type = $4;

UPDATE messages SET updated_at=$1::TIMESTAMP WITH TIME ZONE, delivery_state=$2, delivery_at=$3::TIMESTAMP WITH TIME ZONE, delivery_error=$4::VARCHAR WHERE messages.account_id = $5::BIGINT AND messages.id = $6::BIGINT;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $2::BIGINT AND conversations.id = $3::BIGINT;

-- db.queries.derivation.COUNTERS;

EXECUTE log_changes (1, 2, '{MESSAGE,CONVERSATION}', '{1,1}', '{1,1}', '{UPSERTED,UPSERTED}', '{"{MESSAGE_UPDATED,DELIVERY_FAILED}","{}"}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT row.id, row.conversation_id, row.sent_at, row.delivery_state, row.delivery_at, row.delivery_error, row.delivery_attempts, row.relayed_id, conversation_id.id AS "conversation_id.id", conversation_id.undelivered_count AS "conversation_id.undelivered_count"
FROM (SELECT messages.id AS id, messages.conversation_id AS conversation_id, messages.sent_at AS sent_at, messages.delivery_state AS delivery_state, messages.delivery_at AS delivery_at, messages.delivery_error AS delivery_error, messages.delivery_attempts AS delivery_attempts, messages.relayed_id AS relayed_id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id, conversations.undelivered_count AS undelivered_count
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true;

SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT count(*) FILTER (WHERE conversations.undelivered_count > 0) AS undelivered
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

SELECT messages.conversation_id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = $2::BIGINT;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT messages.account_id, messages.id, messages.conversation_id, messages.updated_at, messages.relayed_id, messages.relayed_by_id, messages.delivery_state, messages.delivery_at, messages.delivery_error, messages.delivery_attempts
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = $2::BIGINT;

SELECT row.id, row.conversation_id, row.sent_at, row.delivery_state, row.delivery_at, row.delivery_error, row.delivery_attempts, row.relayed_id, conversation_id.id AS "conversation_id.id", conversation_id.undelivered_count AS "conversation_id.undelivered_count"
FROM (SELECT messages.id AS id, messages.conversation_id AS conversation_id, messages.sent_at AS sent_at, messages.delivery_state AS delivery_state, messages.delivery_at AS delivery_at, messages.delivery_error AS delivery_error, messages.delivery_attempts AS delivery_attempts, messages.relayed_id AS relayed_id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id, conversations.undelivered_count AS undelivered_count
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true;

SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT count(*) FILTER (WHERE conversations.undelivered_count > 0) AS undelivered
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

SELECT messages.conversation_id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = $2::BIGINT;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT messages.account_id, messages.id, messages.conversation_id, messages.updated_at, messages.relayed_id, messages.relayed_by_id, messages.delivery_state, messages.delivery_at, messages.delivery_error, messages.delivery_attempts
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = $2::BIGINT;

SELECT row.id, row.conversation_id, row.sent_at, row.delivery_state, row.delivery_at, row.delivery_error, row.delivery_attempts, row.relayed_id, conversation_id.id AS "conversation_id.id", conversation_id.undelivered_count AS "conversation_id.undelivered_count"
FROM (SELECT messages.id AS id, messages.conversation_id AS conversation_id, messages.sent_at AS sent_at, messages.delivery_state AS delivery_state, messages.delivery_at AS delivery_at, messages.delivery_error AS delivery_error, messages.delivery_attempts AS delivery_attempts, messages.relayed_id AS relayed_id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id, conversations.undelivered_count AS undelivered_count
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true;

SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT count(*) FILTER (WHERE conversations.undelivered_count > 0) AS undelivered
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

SELECT messages.conversation_id
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = $2::BIGINT;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT messages.account_id, messages.id, messages.conversation_id, messages.updated_at, messages.relayed_id, messages.relayed_by_id, messages.delivery_state, messages.delivery_at, messages.delivery_error, messages.delivery_attempts
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = $2::BIGINT;

SELECT count(*) FILTER (WHERE conversations.undelivered_count > 0) AS undelivered
FROM conversations
WHERE conversations.account_id = $1::BIGINT;
