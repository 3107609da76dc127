SELECT parent.position, row.id, row.reference
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id, bookings.reference AS reference
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any($3::BIGINT[]) AND bookings.status = any($4::VARCHAR(32)[]) AND bookings.start_at < $5::TIMESTAMP WITH TIME ZONE AND (bookings.start_at < $5::TIMESTAMP WITH TIME ZONE) IS true AND bookings.end_at > $6::TIMESTAMP WITH TIME ZONE AND (bookings.end_at > $6::TIMESTAMP WITH TIME ZONE) IS true AND bookings.account_id = parent.key ORDER BY bookings.id ASC
LIMIT $7) AS row ON true;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.reference = $3::VARCHAR AND bookings.account_id = parent.key ORDER BY bookings.id DESC
LIMIT $4) AS row ON true;

SELECT parent.position, ends.beyond_after, ends.beyond_before, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.account_id = parent.key AND bookings.id <= $3::BIGINT ORDER BY bookings.id DESC
LIMIT 1) IS NOT NULL AS beyond_after, (SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.account_id = parent.key AND bookings.id >= $4::BIGINT ORDER BY bookings.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT bookings.id AS id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.account_id = parent.key AND bookings.id > $3::BIGINT AND bookings.id < $4::BIGINT ORDER BY bookings.id ASC
LIMIT 21) AS row ON true;
