SELECT accounts.created_at, accounts.updated_at, accounts.id, accounts.business_name, accounts.email, accounts.time_zone
FROM accounts
WHERE accounts.id = $1::BIGINT AND accounts.id = any($2::BIGINT[]);

SELECT users.account_id, users.id, users.name, users.email
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any($2::BIGINT[]);

SELECT parent.position, row.created_at, row.updated_at, row.account_id, row.id, row.firstname, row.lastname, row.email, row.user_id, row.source_id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT hosts.created_at AS created_at, hosts.updated_at AS updated_at, hosts.account_id AS account_id, hosts.id AS id, hosts.firstname AS firstname, hosts.lastname AS lastname, hosts.email AS email, hosts.user_id AS user_id, hosts.source_id AS source_id
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = parent.key ORDER BY hosts.id ASC
LIMIT 2) AS row ON true;
