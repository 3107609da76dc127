SELECT date_part('epoch', bookings.created_at) AS created_at_seconds, date_part('epoch', bookings.updated_at) AS updated_at_seconds, bookings.id, bookings.reference, bookings.external_reference, bookings.status, date_part('epoch', bookings.start_at) AS start_at_seconds, date_part('epoch', bookings.end_at) AS end_at_seconds, bookings.adults, bookings.children, bookings.currency, bookings.final_price, CASE WHEN (sum(coalesce(octet_length(bookings.notes), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN bookings.notes END AS notes, bookings.client_id, bookings.rental_id, bookings.source_id, date_part('epoch', bookings.canceled_at) AS canceled_at_seconds, sum(coalesce(octet_length(bookings.notes), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any(ARRAY[$3::BIGINT]);

SELECT clients.id, clients.fullname
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any(ARRAY[$2::BIGINT]);

SELECT rentals.id, rentals.name
FROM rentals
WHERE rentals.account_id = $1::BIGINT AND rentals.id = any(ARRAY[$2::BIGINT]);

SELECT sources.id, sources.name
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = any(ARRAY[$2::BIGINT]);

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
