SELECT date_part('epoch', accounts.created_at) AS created_at_seconds, date_part('epoch', accounts.updated_at) AS updated_at_seconds, accounts.id, accounts.business_name, accounts.email, accounts.time_zone
FROM accounts
WHERE accounts.id = $1::BIGINT AND accounts.id = any(ARRAY[$2::BIGINT]);

SELECT users.id, users.name, users.email
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, row.id, row.firstname
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = parent.key ORDER BY hosts.id ASC
LIMIT 2) AS row ON true;
