SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);

DELETE FROM conversation_bookings WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = $2::BIGINT AND conversation_bookings.booking_id = any($3::BIGINT[]) RETURNING conversation_bookings.booking_id;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $2::BIGINT AND conversations.id = $3::BIGINT;

-- db.queries.derivation.TEXTS;

SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT 21) AS row ON true;

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);
