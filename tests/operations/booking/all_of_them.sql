SELECT bookings.account_id AS parent, count(*) AS total
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.account_id = any(ARRAY[$2::BIGINT]) GROUP BY bookings.account_id;

SELECT parent.position, row.id, row.status, row.final_price, row.client_id, date_part('epoch', row.canceled_at) AS canceled_at_seconds
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id, bookings.status AS status, bookings.final_price AS final_price, bookings.client_id AS client_id, bookings.canceled_at AS canceled_at
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.account_id = parent.key ORDER BY bookings.id ASC
LIMIT 21) AS row ON true;

SELECT clients.id
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any(ARRAY[$2::BIGINT]);

SELECT conversation_bookings.booking_id AS parent, count(*) AS total
FROM conversation_bookings
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.booking_id = any($2::BIGINT[]) GROUP BY conversation_bookings.booking_id;

SELECT bookings.id, bookings.external_reference, bookings.adults, bookings.children, bookings.currency, bookings.final_price, CASE WHEN (sum(coalesce(octet_length(bookings.notes), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN bookings.notes END AS notes, bookings.client_id, bookings.rental_id, bookings.source_id, date_part('epoch', bookings.canceled_at) AS canceled_at_seconds, sum(coalesce(octet_length(bookings.notes), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any(ARRAY[$3::BIGINT]);

SELECT parent.position, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations JOIN conversation_bookings ON conversation_bookings.account_id = conversations.account_id AND conversation_bookings.conversation_id = conversations.id
WHERE conversations.account_id = $2::BIGINT AND conversation_bookings.booking_id = parent.key ORDER BY conversation_bookings.conversation_id ASC
LIMIT 21) AS row ON true;
