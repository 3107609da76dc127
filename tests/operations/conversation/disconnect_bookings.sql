SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);

DELETE FROM conversation_bookings WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = $2::BIGINT AND conversation_bookings.booking_id = any($3::BIGINT[]) RETURNING conversation_bookings.booking_id;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $2::BIGINT AND conversations.id = $3::BIGINT;

UPDATE conversations c
SET booking_statuses = fresh.booking_statuses, stays_until = fresh.stays_until
FROM (
SELECT c.id, fresh.booking_statuses, fresh.stays_until
FROM conversations c
CROSS JOIN LATERAL (
SELECT coalesce(bit_or(CASE b.status WHEN 'BOOKED' THEN 1 WHEN 'TENTATIVE' THEN 2 WHEN 'UNAVAILABLE' THEN 4 WHEN 'LOCKED' THEN 8 WHEN 'CANCELED' THEN 16 END), 0)::smallint AS booking_statuses,
max(greatest(b.start_at, b.end_at)) FILTER (WHERE b.status = 'BOOKED') AS stays_until
FROM conversation_bookings cb
JOIN bookings b ON (b.account_id, b.id) = (cb.account_id, cb.booking_id)
WHERE (cb.account_id, cb.conversation_id) = (c.account_id, c.id)
) fresh
WHERE c.account_id = $1 AND c.id = ANY($2::bigint[])
) fresh
WHERE c.account_id = $1 AND c.id = fresh.id
AND (c.booking_statuses, c.stays_until) IS DISTINCT FROM (fresh.booking_statuses, fresh.stays_until);

-- db.queries.derivation.TEXTS;

EXECUTE store_activity (1, 'USER', 1, 1, 'BOOKING_DISCONNECTED', '…', NULL, 2, NULL); EXECUTE log_change (1, 1, 'CONVERSATION', 1, 1, 'UPSERTED', '{BOOKINGS_CHANGED}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT 21) AS row ON true;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any(ARRAY[$2::BIGINT]);

SELECT conversation_bookings.booking_id AS parent, count(*) AS total
FROM conversation_bookings
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.booking_id = any(ARRAY[$2::BIGINT]) GROUP BY conversation_bookings.booking_id;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);
