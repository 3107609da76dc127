SELECT inquiries.account_id AS parent, count(*) AS total
FROM inquiries
WHERE inquiries.account_id = $1::BIGINT AND inquiries.id = any($2::BIGINT[]) AND inquiries.updated_at >= $3::TIMESTAMP WITH TIME ZONE AND (search_texts(inquiries.account_id, ARRAY[inquiries.firstname, inquiries.lastname, search_contact(inquiries.email, inquiries.phone), inquiries.message]) @@ search_query($1::BIGINT, $4::VARCHAR)) AND inquiries.account_id = any($5::BIGINT[]) GROUP BY inquiries.account_id;

SELECT parent.position, row.created_at, row.id, row.email
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT inquiries.created_at AS created_at, inquiries.id AS id, inquiries.email AS email
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.id = any(array((SELECT found.id
FROM (SELECT inquiries.created_at AS value, inquiries.id AS id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.id = any($3::BIGINT[]) AND inquiries.updated_at >= $4::TIMESTAMP WITH TIME ZONE AND (search_texts(inquiries.account_id, ARRAY[inquiries.firstname, inquiries.lastname, search_contact(inquiries.email, inquiries.phone), inquiries.message]) @@ search_query($2::BIGINT, $5::VARCHAR)) ORDER BY inquiries.created_at ASC, inquiries.id ASC
LIMIT ALL OFFSET 0) AS found ORDER BY found.value ASC, found.id ASC
LIMIT $6))) AND inquiries.account_id = parent.key ORDER BY inquiries.created_at ASC, inquiries.id ASC
LIMIT $6) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT inquiries.id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.account_id = parent.key AND inquiries.id >= $3::BIGINT ORDER BY inquiries.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT inquiries.id AS id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.account_id = parent.key AND inquiries.id < $3::BIGINT ORDER BY inquiries.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT inquiries.id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.account_id = parent.key AND inquiries.id <= $3::BIGINT ORDER BY inquiries.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT inquiries.id AS id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.account_id = parent.key AND inquiries.id > $3::BIGINT ORDER BY inquiries.id DESC
LIMIT 2) AS row ON true;
