SELECT webhook_endpoints.id
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, row.id, row.message_id, row.state
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT webhook_deliveries.id AS id, webhook_deliveries.message_id AS message_id, webhook_deliveries.state AS state
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $2::BIGINT AND webhook_deliveries.state = any($3::VARCHAR(32)[]) AND webhook_deliveries.event = any($4::VARCHAR(32)[]) AND webhook_deliveries.endpoint_id = parent.key ORDER BY webhook_deliveries.id ASC
LIMIT $5) AS row ON true;

SELECT parent.position, row.id, row.status
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT webhook_attempts.id AS id, webhook_attempts.status AS status
FROM webhook_attempts
WHERE webhook_attempts.account_id = $2::BIGINT AND webhook_attempts.delivery_id = parent.key ORDER BY webhook_attempts.id DESC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id, row.message_id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT webhook_deliveries.id
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $2::BIGINT AND webhook_deliveries.endpoint_id = parent.key AND webhook_deliveries.id >= $3::BIGINT ORDER BY webhook_deliveries.id ASC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT webhook_deliveries.id AS id, webhook_deliveries.message_id AS message_id
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $2::BIGINT AND webhook_deliveries.endpoint_id = parent.key AND webhook_deliveries.id < $3::BIGINT ORDER BY webhook_deliveries.id DESC
LIMIT 21) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id, row.number, CASE WHEN (sum(coalesce(octet_length(row.answer), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.answer END AS answer, sum(coalesce(octet_length(row.answer), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest(ARRAY[$2::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT webhook_attempts.id
FROM webhook_attempts
WHERE webhook_attempts.account_id = $3::BIGINT AND webhook_attempts.delivery_id = parent.key AND webhook_attempts.id <= $4::BIGINT ORDER BY webhook_attempts.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT webhook_attempts.id AS id, webhook_attempts.number AS number, webhook_attempts.answer AS answer
FROM webhook_attempts
WHERE webhook_attempts.account_id = $3::BIGINT AND webhook_attempts.delivery_id = parent.key AND webhook_attempts.id > $4::BIGINT ORDER BY webhook_attempts.id ASC
LIMIT 21) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id, row.number, row.error
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT webhook_attempts.id
FROM webhook_attempts
WHERE webhook_attempts.account_id = $2::BIGINT AND webhook_attempts.delivery_id = parent.key AND webhook_attempts.id >= $3::BIGINT ORDER BY webhook_attempts.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT webhook_attempts.id AS id, webhook_attempts.number AS number, webhook_attempts.error AS error
FROM webhook_attempts
WHERE webhook_attempts.account_id = $2::BIGINT AND webhook_attempts.delivery_id = parent.key AND webhook_attempts.id < $3::BIGINT ORDER BY webhook_attempts.id DESC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id, row.message_id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT webhook_deliveries.id
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $2::BIGINT AND webhook_deliveries.endpoint_id = parent.key AND webhook_deliveries.id <= $3::BIGINT ORDER BY webhook_deliveries.id DESC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT webhook_deliveries.id AS id, webhook_deliveries.message_id AS message_id
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $2::BIGINT AND webhook_deliveries.endpoint_id = parent.key AND webhook_deliveries.id > $3::BIGINT ORDER BY webhook_deliveries.id DESC
LIMIT 21) AS row ON true;

SELECT webhook_endpoints.id, webhook_endpoints.disabled_reason
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, ends.beyond_after, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT webhook_endpoints.id
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $2::BIGINT AND webhook_endpoints.account_id = parent.key AND webhook_endpoints.id <= $3::BIGINT ORDER BY webhook_endpoints.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT webhook_endpoints.id AS id
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $2::BIGINT AND webhook_endpoints.account_id = parent.key AND webhook_endpoints.id > $3::BIGINT ORDER BY webhook_endpoints.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT webhook_endpoints.id
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $2::BIGINT AND webhook_endpoints.account_id = parent.key AND webhook_endpoints.id >= $3::BIGINT ORDER BY webhook_endpoints.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT webhook_endpoints.id AS id
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $2::BIGINT AND webhook_endpoints.account_id = parent.key AND webhook_endpoints.id < $3::BIGINT ORDER BY webhook_endpoints.id DESC
LIMIT 2) AS row ON true;
