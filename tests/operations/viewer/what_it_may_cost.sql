SELECT parent.position, row.id, row.user_id, user_id.id AS "user_id.id", user_id.name AS "user_id.name"
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT hosts.id AS id, hosts.user_id AS user_id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.account_id = parent.key ORDER BY hosts.id ASC
LIMIT 3) AS row ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $2::BIGINT AND users.id = row.user_id
LIMIT 1) AS user_id ON true;
