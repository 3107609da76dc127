SELECT users.account_id, users.id, users.name, users.email
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any(ARRAY[$2::BIGINT]);
