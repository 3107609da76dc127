SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;

SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE, assignee_id=$2::BIGINT, default_channel=$3, closed_at=$4::TIMESTAMP WITH TIME ZONE, marked_as_spam_at=$5::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $6::BIGINT AND conversations.id = $7::BIGINT;

EXECUTE store_activities (1, 'USER', 1, '{1,1,3,3}', '{ASSIGNED,REOPENED,ASSIGNED,UNMARKED_AS_SPAM}', '{…,…,…,…}', '{2,NULL,2,NULL}', '{NULL,NULL,NULL,NULL}', '{NULL,NULL,NULL,NULL}'); EXECUTE log_changes (1, 2, '{CONVERSATION,CONVERSATION}', '{1,3}', '{1,3}', '{UPSERTED,UPSERTED}', '{"{CONVERSATION_UPDATED}","{CONVERSATION_UPDATED}"}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT conversations.id, conversations.assignee_id, conversations.default_channel, date_part('epoch', conversations.closed_at) AS closed_at_seconds, date_part('epoch', conversations.marked_as_spam_at) AS marked_as_spam_at_seconds
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT hosts.id, hosts.firstname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any(ARRAY[$2::BIGINT]);

SELECT count(*) FILTER (WHERE conversations.closed_at IS NOT NULL) AS closed
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;
