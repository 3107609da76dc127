SELECT bookings.created_at, bookings.updated_at, bookings.account_id, bookings.id, bookings.reference, bookings.external_reference, bookings.status, bookings.start_at, bookings.end_at, bookings.adults, bookings.children, bookings.currency, bookings.final_price, bookings.notes, bookings.client_id, bookings.rental_id, bookings.source_id, bookings.canceled_at
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);

SELECT clients.created_at, clients.updated_at, clients.account_id, clients.id, clients.fullname, clients.email, clients.phone, clients.preferred_locale
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any($2::BIGINT[]);

SELECT rentals.created_at, rentals.updated_at, rentals.account_id, rentals.id, rentals.name, rentals.city, rentals.country_code
FROM rentals
WHERE rentals.account_id = $1::BIGINT AND rentals.id = any($2::BIGINT[]);

SELECT sources.created_at, sources.updated_at, sources.account_id, sources.id, sources.name, sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = any($2::BIGINT[]);

SELECT conversation_bookings.booking_id AS parent, count(*) AS total
FROM conversation_bookings
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.booking_id = any($2::BIGINT[]) GROUP BY conversation_bookings.booking_id;

SELECT parent.position, ends.beyond_before, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, row.closed_at, row.deadline_response_at, row.last_message_at, row.marked_as_spam_at, row.read_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversation_bookings.conversation_id
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key AND conversation_bookings.conversation_id >= $3::BIGINT ORDER BY conversation_bookings.conversation_id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key AND conversation_bookings.conversation_id < $3::BIGINT ORDER BY conversation_bookings.conversation_id ASC
LIMIT $4) AS row ON true;

SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, row.closed_at, row.deadline_response_at, row.last_message_at, row.marked_as_spam_at, row.read_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key ORDER BY conversation_bookings.conversation_id ASC
LIMIT $3) AS row ON true;

SELECT parent.position, ends.beyond_after, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, row.closed_at, row.deadline_response_at, row.last_message_at, row.marked_as_spam_at, row.read_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversation_bookings.conversation_id
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key AND conversation_bookings.conversation_id <= $3::BIGINT ORDER BY conversation_bookings.conversation_id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key AND conversation_bookings.conversation_id > $3::BIGINT ORDER BY conversation_bookings.conversation_id DESC
LIMIT $4) AS row ON true;
