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
