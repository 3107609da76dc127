SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id, row.firstname, row.lastname, row.email, row.phone, CASE WHEN (sum(coalesce(octet_length(row.message), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.message END AS message, row.adults, row.children, date_part('epoch', row.start_at) AS start_at_seconds, date_part('epoch', row.end_at) AS end_at_seconds, row.conversation_id, row.booking_id, row.rental_id, row.source_id, booking_id.id AS "booking_id.id", booking_id.reference AS "booking_id.reference", conversation_id.id AS "conversation_id.id", rental_id.id AS "rental_id.id", rental_id.name AS "rental_id.name", source_id.id AS "source_id.id", source_id.name AS "source_id.name", sum(coalesce(octet_length(row.message), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest(ARRAY[$2::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT inquiries.created_at AS created_at, inquiries.updated_at AS updated_at, inquiries.id AS id, inquiries.firstname AS firstname, inquiries.lastname AS lastname, inquiries.email AS email, inquiries.phone AS phone, inquiries.message AS message, inquiries.adults AS adults, inquiries.children AS children, inquiries.start_at AS start_at, inquiries.end_at AS end_at, inquiries.conversation_id AS conversation_id, inquiries.booking_id AS booking_id, inquiries.rental_id AS rental_id, inquiries.source_id AS source_id
FROM inquiries
WHERE inquiries.account_id = $3::BIGINT AND inquiries.conversation_id = parent.key ORDER BY inquiries.id ASC
LIMIT 6) AS row ON true LEFT OUTER JOIN LATERAL (SELECT bookings.id AS id, bookings.reference AS reference
FROM bookings
WHERE bookings.account_id = $3::BIGINT AND bookings.id = row.booking_id
LIMIT 1) AS booking_id ON true LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $3::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true LEFT OUTER JOIN LATERAL (SELECT rentals.id AS id, rentals.name AS name
FROM rentals
WHERE rentals.account_id = $3::BIGINT AND rentals.id = row.rental_id
LIMIT 1) AS rental_id ON true LEFT OUTER JOIN LATERAL (SELECT sources.id AS id, sources.name AS name
FROM sources
WHERE sources.account_id = $3::BIGINT AND sources.id = row.source_id
LIMIT 1) AS source_id ON true;

SELECT date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id, row.firstname, row.lastname, row.email, row.phone, CASE WHEN (sum(coalesce(octet_length(row.message), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.message END AS message, row.adults, row.children, date_part('epoch', row.start_at) AS start_at_seconds, date_part('epoch', row.end_at) AS end_at_seconds, row.conversation_id, row.booking_id, row.rental_id, row.source_id, booking_id.id AS "booking_id.id", booking_id.reference AS "booking_id.reference", conversation_id.id AS "conversation_id.id", rental_id.id AS "rental_id.id", rental_id.name AS "rental_id.name", source_id.id AS "source_id.id", source_id.name AS "source_id.name", sum(coalesce(octet_length(row.message), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM (SELECT inquiries.created_at AS created_at, inquiries.updated_at AS updated_at, inquiries.id AS id, inquiries.firstname AS firstname, inquiries.lastname AS lastname, inquiries.email AS email, inquiries.phone AS phone, inquiries.message AS message, inquiries.adults AS adults, inquiries.children AS children, inquiries.start_at AS start_at, inquiries.end_at AS end_at, inquiries.conversation_id AS conversation_id, inquiries.booking_id AS booking_id, inquiries.rental_id AS rental_id, inquiries.source_id AS source_id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.id = any(ARRAY[$3::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT bookings.id AS id, bookings.reference AS reference
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = row.booking_id
LIMIT 1) AS booking_id ON true LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true LEFT OUTER JOIN LATERAL (SELECT rentals.id AS id, rentals.name AS name
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND rentals.id = row.rental_id
LIMIT 1) AS rental_id ON true LEFT OUTER JOIN LATERAL (SELECT sources.id AS id, sources.name AS name
FROM sources
WHERE sources.account_id = $2::BIGINT AND sources.id = row.source_id
LIMIT 1) AS source_id ON true;
