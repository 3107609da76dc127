SELECT accounts.created_at, accounts.updated_at, accounts.id, accounts.business_name, accounts.email, accounts.time_zone
FROM accounts
WHERE accounts.id = $1::BIGINT AND accounts.id = any($2::BIGINT[]);

SELECT applications.id, applications.name
FROM applications
WHERE applications.id = any($1::BIGINT[]);
