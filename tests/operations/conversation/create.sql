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

INSERT INTO conversations (created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, id, subject, assignee_id, source_id, default_channel, closed_at, deadline_response_at, last_message_at, marked_as_spam_at, read_at, unanswered_since, unread_count) VALUES ($1, $2::BIGINT, $3::BIGINT, $4::BIGINT, $5::TIMESTAMP WITH TIME ZONE, $6::TIMESTAMP WITH TIME ZONE, $7::BIGINT, $8::BIGINT, $9::VARCHAR, $10::BIGINT, $11::BIGINT, $12, $13::TIMESTAMP WITH TIME ZONE, $14::TIMESTAMP WITH TIME ZONE, $15::TIMESTAMP WITH TIME ZONE, $16::TIMESTAMP WITH TIME ZONE, $17::TIMESTAMP WITH TIME ZONE, $18::TIMESTAMP WITH TIME ZONE, $19::INTEGER) RETURNING conversations.waiting_since;

INSERT INTO conversation_bookings (account_id, conversation_id, booking_id) SELECT bookings.account_id, $1::BIGINT AS anon_1, bookings.id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any($3::BIGINT[]) ON CONFLICT DO NOTHING RETURNING conversation_bookings.booking_id;

-- db.queries.derivation.COUNTERS;

-- db.queries.derivation.TEXTS;

SELECT conversations.created_by_user_id, conversations.created_by_application_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT hosts.id, hosts.firstname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

SELECT sources.id, sources.name
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = any($2::BIGINT[]);

SELECT users.id, users.name
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any($2::BIGINT[]);

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT 21) AS row ON true;

SELECT sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = $2::BIGINT;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);
