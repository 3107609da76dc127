SELECT hosts.account_id AS parent, count(*) AS total
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.account_id = any(ARRAY[$2::BIGINT]) GROUP BY hosts.account_id;

SELECT parent.position, date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id, row.firstname, row.lastname, row.email, row.user_id, row.source_id, source_id.id AS "source_id.id", source_id.name AS "source_id.name", user_id.id AS "user_id.id", user_id.name AS "user_id.name"
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT hosts.created_at AS created_at, hosts.updated_at AS updated_at, hosts.id AS id, hosts.firstname AS firstname, hosts.lastname AS lastname, hosts.email AS email, hosts.user_id AS user_id, hosts.source_id AS source_id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.account_id = parent.key ORDER BY hosts.id ASC
LIMIT 21) AS row ON true LEFT OUTER JOIN LATERAL (SELECT sources.id AS id, sources.name AS name
FROM sources
WHERE sources.account_id = $2::BIGINT AND sources.id = row.source_id
LIMIT 1) AS source_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $2::BIGINT AND users.id = row.user_id
LIMIT 1) AS user_id ON true;

SELECT parent.position, ends.beyond_before, row.id, row.firstname
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.account_id = parent.key AND hosts.id >= $3::BIGINT ORDER BY hosts.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.account_id = parent.key AND hosts.id < $3::BIGINT ORDER BY hosts.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id, row.firstname
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.account_id = parent.key AND hosts.id <= $3::BIGINT ORDER BY hosts.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.account_id = parent.key AND hosts.id > $3::BIGINT ORDER BY hosts.id DESC
LIMIT 2) AS row ON true;
