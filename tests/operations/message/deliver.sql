SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT participants.created_at, participants.updated_at, participants.account_id, participants.id, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = $2::BIGINT AND participants.conversation_id = $3::BIGINT;

UPDATE participants SET updated_at=$1::TIMESTAMP WITH TIME ZONE, last_message_sent_at=$2::TIMESTAMP WITH TIME ZONE WHERE participants.account_id = $3::BIGINT AND participants.id = $4::BIGINT;

INSERT INTO messages (created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, conversation_id, sender_id, content, channel, origin, visibility, sent_at, automatic, delivery_attempts) VALUES ($1, $2::BIGINT, $3::BIGINT, $4::BIGINT, $5::TIMESTAMP WITH TIME ZONE, $6::TIMESTAMP WITH TIME ZONE, $7::BIGINT, $8::BIGINT, $9::BIGINT, $10::VARCHAR, $11, $12, $13, $14::TIMESTAMP WITH TIME ZONE, $15::BOOLEAN, $16::SMALLINT) RETURNING messages.id;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE, closed_at=$2::TIMESTAMP WITH TIME ZONE, deadline_response_at=$3::TIMESTAMP WITH TIME ZONE, wait_ended_at=$4::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $5::BIGINT AND conversations.id = $6::BIGINT;

-- db.queries.derivation.COUNTERS;

-- db.queries.derivation.TEXTS;

EXECUTE store_activities (1, 'APPLICATION', 1, '{1}', '{REOPENED}', '{…}', '{NULL}', '{NULL}', '{1000}'); EXECUTE log_changes (1, '{PARTICIPANT,MESSAGE,CONVERSATION}', '{1,1000,1}', '{1,1,1}', '{UPSERTED,UPSERTED,UPSERTED}', '{"{}","{MESSAGE_CREATED}","{}"}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT messages.created_by_user_id, messages.created_by_application_id, messages.id, messages.conversation_id, messages.sender_id, CASE WHEN (sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN messages.content END AS content, messages.channel, messages.origin, date_part('epoch', messages.sent_at) AS sent_at_seconds, sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.id = any(ARRAY[$3::BIGINT]);

SELECT participants.id, participants.client_id, participants.host_id, date_part('epoch', participants.last_message_sent_at) AS last_message_sent_at_seconds
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any(ARRAY[$2::BIGINT]);

SELECT applications.id, applications.name
FROM applications
WHERE applications.id = any(ARRAY[$1::BIGINT]);

SELECT conversations.id, date_part('epoch', conversations.closed_at) AS closed_at_seconds, date_part('epoch', conversations.last_message_at) AS last_message_at_seconds, conversations.read
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT clients.id, clients.fullname
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any(ARRAY[$2::BIGINT]);

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT participants.created_at, participants.updated_at, participants.account_id, participants.id, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = $2::BIGINT AND participants.conversation_id = $3::BIGINT;
