SELECT messages.id, CASE WHEN (sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN messages.content END AS content, sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.id = any(ARRAY[$3::BIGINT]);

SELECT accounts.id, accounts.business_name
FROM accounts
WHERE accounts.id = $1::BIGINT AND accounts.id = any(ARRAY[$2::BIGINT]);

SELECT applications.id, applications.name
FROM applications
WHERE applications.id = any(ARRAY[$1::BIGINT]);

SELECT users.id, users.name, users.email
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any(ARRAY[$2::BIGINT]);

SELECT sources.id, sources.name
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = any(ARRAY[$2::BIGINT]);

SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT date_part('epoch', rentals.created_at) AS created_at_seconds, date_part('epoch', rentals.updated_at) AS updated_at_seconds, rentals.id, rentals.name, rentals.city, rentals.country_code
FROM rentals
WHERE rentals.account_id = $1::BIGINT AND rentals.id = any($2::BIGINT[]);

SELECT date_part('epoch', clients.created_at) AS created_at_seconds, date_part('epoch', clients.updated_at) AS updated_at_seconds, clients.id, clients.fullname, clients.email, clients.phone, clients.preferred_locale
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any($2::BIGINT[]);
