SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE, read_at=$2::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $3::BIGINT AND conversations.id = $4::BIGINT;

UPDATE conversations c
SET unanswered_since = told.unanswered_since, unread_count = told.unread_count
FROM (
SELECT c.id, told.unanswered_since, told.unread_count
FROM conversations c CROSS JOIN LATERAL (
SELECT min(sent_at) FILTER (WHERE by_guest AND NOT answered) AS unanswered_since,
count(*) FILTER (WHERE by_guest AND sent_at > coalesce(c.read_at, '-infinity')) AS unread_count
FROM (
SELECT m.sent_at, p.member_type = 'CLIENT' AS by_guest,
bool_or(p.member_type = 'HOST') OVER (ORDER BY m.sent_at DESC, m.id DESC) AS answered
FROM messages m JOIN participants p ON (p.account_id, p.id) = (m.account_id, m.sender_id)
WHERE m.account_id = c.account_id AND m.conversation_id = c.id AND m.visibility = 'EXTERNAL'
) message
) told
WHERE c.account_id = $1 AND c.id = ANY($2::bigint[])
) told
WHERE c.account_id = $1 AND c.id = told.id
AND (c.unanswered_since, c.unread_count) IS DISTINCT FROM (told.unanswered_since, told.unread_count);

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE, read_at=$2::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $3::BIGINT AND conversations.id = $4::BIGINT;

UPDATE conversations c
SET unanswered_since = told.unanswered_since, unread_count = told.unread_count
FROM (
SELECT c.id, told.unanswered_since, told.unread_count
FROM conversations c CROSS JOIN LATERAL (
SELECT min(sent_at) FILTER (WHERE by_guest AND NOT answered) AS unanswered_since,
count(*) FILTER (WHERE by_guest AND sent_at > coalesce(c.read_at, '-infinity')) AS unread_count
FROM (
SELECT m.sent_at, p.member_type = 'CLIENT' AS by_guest,
bool_or(p.member_type = 'HOST') OVER (ORDER BY m.sent_at DESC, m.id DESC) AS answered
FROM messages m JOIN participants p ON (p.account_id, p.id) = (m.account_id, m.sender_id)
WHERE m.account_id = c.account_id AND m.conversation_id = c.id AND m.visibility = 'EXTERNAL'
) message
) told
WHERE c.account_id = $1 AND c.id = ANY($2::bigint[])
) told
WHERE c.account_id = $1 AND c.id = told.id
AND (c.unanswered_since, c.unread_count) IS DISTINCT FROM (told.unanswered_since, told.unread_count);

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;
