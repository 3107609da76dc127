SELECT date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id, row.reference, row.external_reference, row.status, date_part('epoch', row.start_at) AS start_at_seconds, date_part('epoch', row.end_at) AS end_at_seconds, row.adults, row.children, row.currency, row.final_price, CASE WHEN (sum(coalesce(octet_length(row.notes), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.notes END AS notes, row.client_id, row.rental_id, row.source_id, date_part('epoch', row.canceled_at) AS canceled_at_seconds, client_id.id AS "client_id.id", client_id.fullname AS "client_id.fullname", rental_id.id AS "rental_id.id", rental_id.name AS "rental_id.name", source_id.id AS "source_id.id", source_id.name AS "source_id.name", sum(coalesce(octet_length(row.notes), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM (SELECT bookings.created_at AS created_at, bookings.updated_at AS updated_at, bookings.id AS id, bookings.reference AS reference, bookings.external_reference AS external_reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.adults AS adults, bookings.children AS children, bookings.currency AS currency, bookings.final_price AS final_price, bookings.notes AS notes, bookings.client_id AS client_id, bookings.rental_id AS rental_id, bookings.source_id AS source_id, bookings.canceled_at AS canceled_at
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any(ARRAY[$3::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT clients.id AS id, clients.fullname AS fullname
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.id = row.client_id
LIMIT 1) AS client_id ON true LEFT OUTER JOIN LATERAL (SELECT rentals.id AS id, rentals.name AS name
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND rentals.id = row.rental_id
LIMIT 1) AS rental_id ON true LEFT OUTER JOIN LATERAL (SELECT sources.id AS id, sources.name AS name
FROM sources
WHERE sources.account_id = $2::BIGINT AND sources.id = row.source_id
LIMIT 1) AS source_id ON true;

SELECT conversation_bookings.booking_id AS parent, count(*) AS total
FROM conversation_bookings
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.booking_id = any(ARRAY[$2::BIGINT]) GROUP BY conversation_bookings.booking_id;

SELECT parent.position, row.id, row.subject
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id, conversations.subject AS subject
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key ORDER BY conversation_bookings.conversation_id ASC
LIMIT 21) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversation_bookings.conversation_id
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key AND conversation_bookings.conversation_id >= $3::BIGINT ORDER BY conversation_bookings.conversation_id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key AND conversation_bookings.conversation_id < $3::BIGINT ORDER BY conversation_bookings.conversation_id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversation_bookings.conversation_id
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key AND conversation_bookings.conversation_id <= $3::BIGINT ORDER BY conversation_bookings.conversation_id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key AND conversation_bookings.conversation_id > $3::BIGINT ORDER BY conversation_bookings.conversation_id DESC
LIMIT 2) AS row ON true;
