SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT hosts.id AS member, participants.created_at, participants.updated_at, participants.account_id, participants.id, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM hosts LEFT OUTER JOIN participants ON participants.account_id = hosts.account_id AND participants.host_id = hosts.id AND participants.conversation_id = $1::BIGINT
WHERE hosts.account_id = $2::BIGINT AND hosts.id = $3::BIGINT ORDER BY hosts.id, participants.id
LIMIT 1;

INSERT INTO participants (created_at, updated_at, account_id, conversation_id, member_type, member_id, host_id) VALUES ($1::TIMESTAMP WITH TIME ZONE, $2::TIMESTAMP WITH TIME ZONE, $3::BIGINT, $4::BIGINT, $5, $6::BIGINT, $7::BIGINT) RETURNING participants.id;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $2::BIGINT AND conversations.id = $3::BIGINT;

-- db.queries.derivation.COUNTERS;

-- db.queries.derivation.TEXTS;

EXECUTE log_changes (1, 2, '{PARTICIPANT,CONVERSATION}', '{1000,1}', '{1,1}', '{UPSERTED,UPSERTED}', '{"{}","{CONVERSATION_UPDATED}"}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT row.id, row.conversation_id, row.member_type, row.client_id, row.host_id, client_id.id AS "client_id.id", host_id.id AS "host_id.id", host_id.firstname AS "host_id.firstname"
FROM (SELECT participants.id AS id, participants.conversation_id AS conversation_id, participants.member_type AS member_type, participants.client_id AS client_id, participants.host_id AS host_id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT clients.id AS id
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = row.client_id
LIMIT 1) AS client_id ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.host_id
LIMIT 1) AS host_id ON true;

SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT participants.conversation_id AS parent, count(*) AS total
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.conversation_id = any(ARRAY[$2::BIGINT]) GROUP BY participants.conversation_id;

SELECT conversations.id, conversations.subject
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT participants.id AS id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key ORDER BY participants.id DESC
LIMIT 2) AS row ON true;

SELECT hosts.account_id AS parent, count(*) AS total
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.account_id = any(ARRAY[$2::BIGINT]) GROUP BY hosts.account_id;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT hosts.id AS member, participants.created_at, participants.updated_at, participants.account_id, participants.id, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM hosts LEFT OUTER JOIN participants ON participants.account_id = hosts.account_id AND participants.host_id = hosts.id AND participants.conversation_id = $1::BIGINT
WHERE hosts.account_id = $2::BIGINT AND hosts.id = $3::BIGINT ORDER BY hosts.id, participants.id
LIMIT 1;

SELECT participants.id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any(ARRAY[$2::BIGINT]);

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT clients.id AS member, participants.created_at, participants.updated_at, participants.account_id, participants.id, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM clients LEFT OUTER JOIN participants ON participants.account_id = clients.account_id AND participants.client_id = clients.id AND participants.conversation_id = $1::BIGINT
WHERE clients.account_id = $2::BIGINT AND clients.id = $3::BIGINT ORDER BY clients.id, participants.id
LIMIT 1;
