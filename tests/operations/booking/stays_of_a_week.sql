SELECT parent.position, row.created_at, row.updated_at, row.account_id, row.id, row.reference, row.external_reference, row.status, row.start_at, row.end_at, row.adults, row.children, row.currency, row.final_price, row.notes, row.client_id, row.rental_id, row.source_id, row.canceled_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.created_at AS created_at, bookings.updated_at AS updated_at, bookings.account_id AS account_id, bookings.id AS id, bookings.reference AS reference, bookings.external_reference AS external_reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.adults AS adults, bookings.children AS children, bookings.currency AS currency, bookings.final_price AS final_price, bookings.notes AS notes, bookings.client_id AS client_id, bookings.rental_id AS rental_id, bookings.source_id AS source_id, bookings.canceled_at AS canceled_at
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any($3::BIGINT[]) AND bookings.status = any($4::VARCHAR(32)[]) AND bookings.start_at < $5::TIMESTAMP WITH TIME ZONE AND bookings.end_at > $6::TIMESTAMP WITH TIME ZONE AND bookings.account_id = parent.key ORDER BY bookings.id ASC
LIMIT $7) AS row ON true;

SELECT parent.position, row.created_at, row.updated_at, row.account_id, row.id, row.reference, row.external_reference, row.status, row.start_at, row.end_at, row.adults, row.children, row.currency, row.final_price, row.notes, row.client_id, row.rental_id, row.source_id, row.canceled_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.created_at AS created_at, bookings.updated_at AS updated_at, bookings.account_id AS account_id, bookings.id AS id, bookings.reference AS reference, bookings.external_reference AS external_reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.adults AS adults, bookings.children AS children, bookings.currency AS currency, bookings.final_price AS final_price, bookings.notes AS notes, bookings.client_id AS client_id, bookings.rental_id AS rental_id, bookings.source_id AS source_id, bookings.canceled_at AS canceled_at
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.reference = $3::VARCHAR AND bookings.account_id = parent.key ORDER BY bookings.id DESC
LIMIT $4) AS row ON true;

SELECT parent.position, ends.beyond_after, ends.beyond_before, row.created_at, row.updated_at, row.account_id, row.id, row.reference, row.external_reference, row.status, row.start_at, row.end_at, row.adults, row.children, row.currency, row.final_price, row.notes, row.client_id, row.rental_id, row.source_id, row.canceled_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.account_id = parent.key AND bookings.id <= $3::BIGINT ORDER BY bookings.id DESC
LIMIT 1) IS NOT NULL AS beyond_after, (SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.account_id = parent.key AND bookings.id >= $4::BIGINT ORDER BY bookings.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT bookings.created_at AS created_at, bookings.updated_at AS updated_at, bookings.account_id AS account_id, bookings.id AS id, bookings.reference AS reference, bookings.external_reference AS external_reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.adults AS adults, bookings.children AS children, bookings.currency AS currency, bookings.final_price AS final_price, bookings.notes AS notes, bookings.client_id AS client_id, bookings.rental_id AS rental_id, bookings.source_id AS source_id, bookings.canceled_at AS canceled_at
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.account_id = parent.key AND bookings.id > $3::BIGINT AND bookings.id < $4::BIGINT ORDER BY bookings.id ASC
LIMIT $5) AS row ON true;
