SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

SELECT sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = $2::BIGINT;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);

INSERT INTO conversations (created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, subject, assignee_id, source_id, default_channel, closed_at, deadline_response_at, last_message_at, marked_as_spam_at, read_at) VALUES ($1, $2::BIGINT, $3::BIGINT, $4::BIGINT, $5::TIMESTAMP WITH TIME ZONE, $6::TIMESTAMP WITH TIME ZONE, $7::BIGINT, $8::VARCHAR, $9::BIGINT, $10::BIGINT, $11, $12::TIMESTAMP WITH TIME ZONE, $13::TIMESTAMP WITH TIME ZONE, $14::TIMESTAMP WITH TIME ZONE, $15::TIMESTAMP WITH TIME ZONE, $16::TIMESTAMP WITH TIME ZONE) RETURNING conversations.id;

INSERT INTO conversation_bookings (account_id, conversation_id, booking_id) SELECT bookings.account_id, $1::BIGINT AS anon_1, bookings.id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any($3::BIGINT[]) ON CONFLICT DO NOTHING RETURNING conversation_bookings.booking_id;

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT hosts.created_at, hosts.updated_at, hosts.account_id, hosts.id, hosts.firstname, hosts.lastname, hosts.email, hosts.user_id, hosts.source_id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

SELECT sources.created_at, sources.updated_at, sources.account_id, sources.id, sources.name, sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = any($2::BIGINT[]);

SELECT users.account_id, users.id, users.name, users.email
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any($2::BIGINT[]);

SELECT parent.position, row.created_at, row.updated_at, row.account_id, row.id, row.reference, row.external_reference, row.status, row.start_at, row.end_at, row.adults, row.children, row.currency, row.final_price, row.notes, row.client_id, row.rental_id, row.source_id, row.canceled_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.created_at AS created_at, bookings.updated_at AS updated_at, bookings.account_id AS account_id, bookings.id AS id, bookings.reference AS reference, bookings.external_reference AS external_reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.adults AS adults, bookings.children AS children, bookings.currency AS currency, bookings.final_price AS final_price, bookings.notes AS notes, bookings.client_id AS client_id, bookings.rental_id AS rental_id, bookings.source_id AS source_id, bookings.canceled_at AS canceled_at
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT $3) AS row ON true;

SELECT sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = $2::BIGINT;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);
