WITH found AS MATERIALIZED
(SELECT bookings.id AS id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND (search_texts(bookings.account_id, ARRAY[bookings.reference, bookings.external_reference, search_ends(bookings.reference, 3, 12), search_ends(bookings.external_reference, 3, 12)]) @@ search_query($2::BIGINT, $3::VARCHAR)) UNION ALL SELECT bookings.id AS id
FROM clients JOIN bookings ON bookings.account_id = clients.account_id AND bookings.client_id = clients.id
WHERE clients.account_id = $2::BIGINT AND (search_texts(clients.account_id, ARRAY[clients.fullname, search_contact(clients.email, clients.phone)]) @@ search_query($2::BIGINT, $3::VARCHAR)))
SELECT parent.position, row.id, row.external_reference
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id, bookings.external_reference AS external_reference
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any(array((SELECT found.id
FROM found))) AND bookings.account_id = parent.key ORDER BY bookings.id ASC
LIMIT $4) AS row ON true;

WITH found AS MATERIALIZED
(SELECT bookings.id AS id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND (search_texts(bookings.account_id, ARRAY[bookings.reference, bookings.external_reference, search_ends(bookings.reference, 3, 12), search_ends(bookings.external_reference, 3, 12)]) @@ search_query($1::BIGINT, $4::VARCHAR)) UNION ALL SELECT bookings.id AS id
FROM clients JOIN bookings ON bookings.account_id = clients.account_id AND bookings.client_id = clients.id
WHERE clients.account_id = $1::BIGINT AND (search_texts(clients.account_id, ARRAY[clients.fullname, search_contact(clients.email, clients.phone)]) @@ search_query($1::BIGINT, $4::VARCHAR)))
SELECT bookings.account_id AS parent, count(*) AS total
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.rental_id IS NOT NULL AND bookings.rental_id = any($2::BIGINT[]) AND bookings.updated_at >= $3::TIMESTAMP WITH TIME ZONE AND bookings.id = any(array((SELECT found.id
FROM found))) AND bookings.account_id = any($5::BIGINT[]) GROUP BY bookings.account_id;

WITH found AS MATERIALIZED
(SELECT bookings.id AS id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND (search_texts(bookings.account_id, ARRAY[bookings.reference, bookings.external_reference, search_ends(bookings.reference, 3, 12), search_ends(bookings.external_reference, 3, 12)]) @@ search_query($2::BIGINT, $5::VARCHAR)) UNION ALL SELECT bookings.id AS id
FROM clients JOIN bookings ON bookings.account_id = clients.account_id AND bookings.client_id = clients.id
WHERE clients.account_id = $2::BIGINT AND (search_texts(clients.account_id, ARRAY[clients.fullname, search_contact(clients.email, clients.phone)]) @@ search_query($2::BIGINT, $5::VARCHAR)))
SELECT parent.position, row.id, row.client_id, client_id.id AS "client_id.id", client_id.fullname AS "client_id.fullname"
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id, bookings.client_id AS client_id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any(coalesce((SELECT array_agg(near.id) AS array_agg_1
FROM (SELECT first.id AS id
FROM bookings JOIN (SELECT bookings.start_at AS value, bookings.id AS id
FROM bookings
WHERE bookings.account_id = $2::BIGINT ORDER BY bookings.start_at ASC, bookings.id ASC
LIMIT 500) AS first ON first.id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND bookings.rental_id IS NOT NULL AND bookings.rental_id = any($3::BIGINT[]) AND bookings.updated_at >= $4::TIMESTAMP WITH TIME ZONE AND bookings.id = any(array((SELECT found.id
FROM found))) AND (SELECT 1
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.rental_id IS NOT NULL AND bookings.rental_id = any($3::BIGINT[]) AND bookings.updated_at >= $4::TIMESTAMP WITH TIME ZONE AND bookings.id = any(array((SELECT found.id
FROM found)))
LIMIT 1 OFFSET 1000) IS NOT NULL ORDER BY first.value ASC, first.id ASC
LIMIT $6) AS near
HAVING count(*) = $6::INTEGER), array((SELECT found.id
FROM (SELECT bookings.start_at AS value, bookings.id AS id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.rental_id IS NOT NULL AND bookings.rental_id = any($3::BIGINT[]) AND bookings.updated_at >= $4::TIMESTAMP WITH TIME ZONE AND bookings.id = any(array((SELECT found.id
FROM found))) ORDER BY bookings.start_at ASC, bookings.id ASC
LIMIT ALL OFFSET 0) AS found ORDER BY found.value ASC, found.id ASC
LIMIT $6)))) AND bookings.account_id = parent.key ORDER BY bookings.start_at ASC, bookings.id ASC
LIMIT $6) AS row ON true LEFT OUTER JOIN LATERAL (SELECT clients.id AS id, clients.fullname AS fullname
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.id = row.client_id
LIMIT 1) AS client_id ON true;
