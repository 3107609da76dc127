SELECT parent.position, row.id, row.user_id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT hosts.id AS id, hosts.user_id AS user_id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.account_id = parent.key ORDER BY hosts.id ASC
LIMIT 3) AS row ON true;

SELECT users.id, users.name
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any(ARRAY[$2::BIGINT]);
