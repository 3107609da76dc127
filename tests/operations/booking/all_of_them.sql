SELECT bookings.account_id AS parent, count(*) AS total
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.account_id = any($2::BIGINT[]) GROUP BY bookings.account_id;

SELECT bookings.created_at, bookings.updated_at, bookings.account_id, bookings.id, bookings.reference, bookings.external_reference, bookings.status, bookings.start_at, bookings.end_at, bookings.adults, bookings.children, bookings.currency, bookings.final_price, bookings.notes, bookings.client_id, bookings.rental_id, bookings.source_id, bookings.canceled_at
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);

SELECT parent.position, row.created_at, row.updated_at, row.account_id, row.id, row.reference, row.external_reference, row.status, row.start_at, row.end_at, row.adults, row.children, row.currency, row.final_price, row.notes, row.client_id, row.rental_id, row.source_id, row.canceled_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.created_at AS created_at, bookings.updated_at AS updated_at, bookings.account_id AS account_id, bookings.id AS id, bookings.reference AS reference, bookings.external_reference AS external_reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.adults AS adults, bookings.children AS children, bookings.currency AS currency, bookings.final_price AS final_price, bookings.notes AS notes, bookings.client_id AS client_id, bookings.rental_id AS rental_id, bookings.source_id AS source_id, bookings.canceled_at AS canceled_at
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.account_id = parent.key ORDER BY bookings.id ASC
LIMIT $3) AS row ON true;

SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, row.closed_at, row.deadline_response_at, row.last_message_at, row.marked_as_spam_at, row.read_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key ORDER BY conversation_bookings.conversation_id ASC
LIMIT $3) AS row ON true;

SELECT clients.created_at, clients.updated_at, clients.account_id, clients.id, clients.fullname, clients.email, clients.phone, clients.preferred_locale
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any($2::BIGINT[]);

SELECT conversation_bookings.booking_id AS parent, count(*) AS total
FROM conversation_bookings
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.booking_id = any($2::BIGINT[]) GROUP BY conversation_bookings.booking_id;
