SELECT clients.account_id AS parent, count(*) AS total
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any($2::BIGINT[]) AND clients.updated_at >= $3::TIMESTAMP WITH TIME ZONE AND (search_texts(clients.account_id, ARRAY[clients.fullname, search_contact(clients.email, clients.phone)]) @@ search_query($1::BIGINT, $4::VARCHAR)) AND clients.account_id = any($5::BIGINT[]) GROUP BY clients.account_id;

SELECT parent.position, row.created_at, row.id, row.fullname
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT clients.created_at AS created_at, clients.id AS id, clients.fullname AS fullname
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.id = any(array((SELECT found.id
FROM (SELECT clients.created_at AS value, clients.id AS id
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.id = any($3::BIGINT[]) AND clients.updated_at >= $4::TIMESTAMP WITH TIME ZONE AND (search_texts(clients.account_id, ARRAY[clients.fullname, search_contact(clients.email, clients.phone)]) @@ search_query($2::BIGINT, $5::VARCHAR)) ORDER BY clients.created_at DESC, clients.id DESC
LIMIT ALL OFFSET 0) AS found ORDER BY found.value DESC, found.id DESC
LIMIT $6))) AND clients.account_id = parent.key ORDER BY clients.created_at DESC, clients.id DESC
LIMIT $6) AS row ON true;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT clients.id AS id
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.id = any(array((SELECT found.id
FROM (SELECT clients.id AS id
FROM clients
WHERE clients.account_id = $2::BIGINT AND (search_texts(clients.account_id, ARRAY[clients.fullname, search_contact(clients.email, clients.phone)]) @@ search_query($2::BIGINT, $3::VARCHAR)) ORDER BY clients.id ASC
LIMIT ALL OFFSET 0) AS found ORDER BY found.id ASC
LIMIT $4))) AND clients.account_id = parent.key ORDER BY clients.id ASC
LIMIT $4) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT clients.id
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.account_id = parent.key AND clients.id >= $3::BIGINT ORDER BY clients.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT clients.id AS id
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.account_id = parent.key AND clients.id < $3::BIGINT ORDER BY clients.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT clients.id
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.account_id = parent.key AND clients.id <= $3::BIGINT ORDER BY clients.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT clients.id AS id
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.account_id = parent.key AND clients.id > $3::BIGINT ORDER BY clients.id DESC
LIMIT 2) AS row ON true;
