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

EXECUTE store_activity (1, 'APPLICATION', 1, 1, 'REOPENED', '…', NULL, NULL, 1000); EXECUTE log_changes (1, 3, '{PARTICIPANT,MESSAGE,CONVERSATION}', '{1,1000,1}', '{1,1,1}', '{UPSERTED,UPSERTED,UPSERTED}', '{"{}","{MESSAGE_CREATED}","{}"}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT row.created_by_user_id, row.created_by_application_id, row.id, row.conversation_id, row.sender_id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, row.channel, row.origin, date_part('epoch', row.sent_at) AS sent_at_seconds, conversation_id.id AS "conversation_id.id", date_part('epoch', conversation_id.closed_at) AS "conversation_id.closed_at_seconds", date_part('epoch', conversation_id.last_message_at) AS "conversation_id.last_message_at_seconds", conversation_id.read AS "conversation_id.read", created_by_application_id.id AS "created_by_application_id.id", created_by_application_id.name AS "created_by_application_id.name", created_by_user_id.id AS "created_by_user_id.id", sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM (SELECT messages.created_by_user_id AS created_by_user_id, messages.created_by_application_id AS created_by_application_id, messages.id AS id, messages.conversation_id AS conversation_id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.origin AS origin, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.id = any(ARRAY[$3::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id, conversations.closed_at AS closed_at, conversations.last_message_at AS last_message_at, conversations.read AS read
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id, applications.name AS name
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id
FROM users
WHERE users.account_id = $2::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true;

SELECT row.id, row.client_id, row.host_id, date_part('epoch', row.last_message_sent_at) AS last_message_sent_at_seconds, client_id.id AS "client_id.id", client_id.fullname AS "client_id.fullname", host_id.id AS "host_id.id"
FROM (SELECT participants.id AS id, participants.client_id AS client_id, participants.host_id AS host_id, participants.last_message_sent_at AS last_message_sent_at
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT clients.id AS id, clients.fullname AS fullname
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = row.client_id
LIMIT 1) AS client_id ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.host_id
LIMIT 1) AS host_id ON true;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT participants.created_at, participants.updated_at, participants.account_id, participants.id, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = $2::BIGINT AND participants.conversation_id = $3::BIGINT;
