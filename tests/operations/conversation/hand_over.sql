SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

EXECUTE change_conversation (1, 1, '{assignee_id,default_channel,closed_at,marked_as_spam_at,wait_ended_at,deadline_response_at,updated_at}', 2, 'VRBO', NULL, '…', NULL, '…', '…'); EXECUTE store_activities (1, 'USER', 1, '{1,1,1}', '{ASSIGNED,REOPENED,MARKED_AS_SPAM}', '{…,…,…}', '{2,NULL,NULL}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}'); EXECUTE log_change (1, 1, 'CONVERSATION', 1, 1, 'UPSERTED', '{CONVERSATION_UPDATED}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT row.id, row.assignee_id, row.default_channel, date_part('epoch', row.closed_at) AS closed_at_seconds, date_part('epoch', row.marked_as_spam_at) AS marked_as_spam_at_seconds, assignee_id.id AS "assignee_id.id", assignee_id.firstname AS "assignee_id.firstname"
FROM (SELECT conversations.id AS id, conversations.assignee_id AS assignee_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.marked_as_spam_at AS marked_as_spam_at
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.assignee_id
LIMIT 1) AS assignee_id ON true;

SELECT count(*) FILTER (WHERE conversations.closed_at IS NOT NULL) AS closed
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;
