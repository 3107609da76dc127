SELECT rentals.account_id AS parent, count(*) AS total
FROM rentals
WHERE rentals.account_id = $1::BIGINT AND rentals.id = any($2::BIGINT[]) AND rentals.updated_at >= $3::TIMESTAMP WITH TIME ZONE AND (search_texts(rentals.account_id, ARRAY[rentals.name, rentals.city]) @@ search_query($1::BIGINT, $4::VARCHAR)) AND rentals.account_id = any($5::BIGINT[]) GROUP BY rentals.account_id;

SELECT parent.position, row.updated_at, row.id, row.name, row.city
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT rentals.updated_at AS updated_at, rentals.id AS id, rentals.name AS name, rentals.city AS city
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND rentals.id = any(array((SELECT found.id
FROM (SELECT rentals.updated_at AS value, rentals.id AS id
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND rentals.id = any($3::BIGINT[]) AND rentals.updated_at >= $4::TIMESTAMP WITH TIME ZONE AND (search_texts(rentals.account_id, ARRAY[rentals.name, rentals.city]) @@ search_query($2::BIGINT, $5::VARCHAR)) ORDER BY rentals.updated_at ASC, rentals.id ASC
LIMIT ALL OFFSET 0) AS found ORDER BY found.value ASC, found.id ASC
LIMIT $6))) AND rentals.account_id = parent.key ORDER BY rentals.updated_at ASC, rentals.id ASC
LIMIT $6) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT rentals.id
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND rentals.account_id = parent.key AND rentals.id >= $3::BIGINT ORDER BY rentals.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT rentals.id AS id
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND rentals.account_id = parent.key AND rentals.id < $3::BIGINT ORDER BY rentals.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT rentals.id
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND rentals.account_id = parent.key AND rentals.id <= $3::BIGINT ORDER BY rentals.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT rentals.id AS id
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND rentals.account_id = parent.key AND rentals.id > $3::BIGINT ORDER BY rentals.id DESC
LIMIT 2) AS row ON true;
