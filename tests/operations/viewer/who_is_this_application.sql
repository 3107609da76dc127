SELECT accounts.id, accounts.business_name, accounts.email
FROM accounts
WHERE accounts.id = $1::BIGINT AND accounts.id = any(ARRAY[$2::BIGINT]);

SELECT applications.id, applications.name
FROM applications
WHERE applications.id = any(ARRAY[$1::BIGINT]);
