INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

SELECT sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = $2::BIGINT;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);

INSERT INTO conversations (created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, id, subject, assignee_id, source_id, default_channel, closed_at, deadline_response_at, read_at, booking_statuses, unread_count, undelivered_count, wait_ended_at) VALUES ($1, $2::BIGINT, $3::BIGINT, $4::BIGINT, $5::TIMESTAMP WITH TIME ZONE, $6::TIMESTAMP WITH TIME ZONE, $7::BIGINT, $8::BIGINT, $9::VARCHAR, $10::BIGINT, $11::BIGINT, $12, $13::TIMESTAMP WITH TIME ZONE, $14::TIMESTAMP WITH TIME ZONE, $15::TIMESTAMP WITH TIME ZONE, $16::SMALLINT, $17::INTEGER, $18::INTEGER, $19::TIMESTAMP WITH TIME ZONE) RETURNING conversations.id;

INSERT INTO conversation_bookings (account_id, conversation_id, booking_id) SELECT bookings.account_id, $1::BIGINT AS anon_1, bookings.id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any($3::BIGINT[]) ON CONFLICT DO NOTHING RETURNING conversation_bookings.booking_id;

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

EXECUTE store_activities (1, 'USER', 1, '{1000,1000,1000,1000}', '{ASSIGNED,CLOSED,BOOKING_CONNECTED,BOOKING_CONNECTED}', '{…,…,…,…}', '{2,NULL,NULL,NULL}', '{NULL,NULL,1,3}', '{NULL,NULL,NULL,NULL}'); EXECUTE log_change (1, 1, 'CONVERSATION', 1000, 1000, 'UPSERTED', '{CONVERSATION_CREATED}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT row.created_by_user_id, row.created_by_application_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, date_part('epoch', row.closed_at) AS closed_at_seconds, date_part('epoch', row.deadline_response_at) AS deadline_response_at_seconds, assignee_id.id AS "assignee_id.id", assignee_id.firstname AS "assignee_id.firstname", created_by_application_id.id AS "created_by_application_id.id", created_by_user_id.id AS "created_by_user_id.id", created_by_user_id.name AS "created_by_user_id.name", source_id.id AS "source_id.id", source_id.name AS "source_id.name"
FROM (SELECT conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.assignee_id
LIMIT 1) AS assignee_id ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true LEFT OUTER JOIN LATERAL (SELECT sources.id AS id, sources.name AS name
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = row.source_id
LIMIT 1) AS source_id ON true;

SELECT parent.position, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT 21) AS row ON true;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);

SELECT count(*) FILTER (WHERE conversations.closed_at IS NOT NULL) AS closed
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

SELECT sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = $2::BIGINT;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);
