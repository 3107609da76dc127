SELECT webhook_endpoints.account_id AS parent, count(*) AS total
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.account_id = any(ARRAY[$2::BIGINT]) GROUP BY webhook_endpoints.account_id;

SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id, row.url, row.events, row.enabled, row.disabled_reason, row.document_id, row.scopes, date_part('epoch', row.previous_secret_until) AS previous_secret_until_seconds, created_by_application_id.id AS "created_by_application_id.id", created_by_user_id.id AS "created_by_user_id.id"
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT webhook_endpoints.created_by_type AS created_by_type, webhook_endpoints.created_by_id AS created_by_id, webhook_endpoints.created_by_user_id AS created_by_user_id, webhook_endpoints.created_by_application_id AS created_by_application_id, webhook_endpoints.created_at AS created_at, webhook_endpoints.updated_at AS updated_at, webhook_endpoints.id AS id, webhook_endpoints.url AS url, webhook_endpoints.events AS events, webhook_endpoints.enabled AS enabled, webhook_endpoints.disabled_reason AS disabled_reason, webhook_endpoints.document_id AS document_id, webhook_endpoints.scopes AS scopes, webhook_endpoints.previous_secret_until AS previous_secret_until
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $2::BIGINT AND webhook_endpoints.account_id = parent.key ORDER BY webhook_endpoints.id ASC
LIMIT 3) AS row ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id
FROM users
WHERE users.account_id = $2::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true;

SELECT webhook_deliveries.endpoint_id AS parent, count(*) AS total
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $1::BIGINT AND webhook_deliveries.endpoint_id = any($2::BIGINT[]) GROUP BY webhook_deliveries.endpoint_id;

SELECT parent.position, row.id, row.endpoint_id, row.message_id, row.event, row.conversation_id, row.state, row.attempt_count, date_part('epoch', row.due_at) AS due_at_seconds, date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.finished_at) AS finished_at_seconds
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT webhook_deliveries.id AS id, webhook_deliveries.endpoint_id AS endpoint_id, webhook_deliveries.message_id AS message_id, webhook_deliveries.event AS event, webhook_deliveries.conversation_id AS conversation_id, webhook_deliveries.state AS state, webhook_deliveries.attempt_count AS attempt_count, webhook_deliveries.due_at AS due_at, webhook_deliveries.created_at AS created_at, webhook_deliveries.finished_at AS finished_at
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $2::BIGINT AND webhook_deliveries.endpoint_id = parent.key ORDER BY webhook_deliveries.id DESC
LIMIT 3) AS row ON true;

SELECT webhook_endpoints.id
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = any(ARRAY[$2::BIGINT]);

SELECT conversations.id, conversations.subject
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT webhook_attempts.delivery_id AS parent, count(*) AS total
FROM webhook_attempts
WHERE webhook_attempts.account_id = $1::BIGINT AND webhook_attempts.delivery_id = any($2::BIGINT[]) GROUP BY webhook_attempts.delivery_id;

SELECT parent.position, row.id, row.delivery_id, row.number, date_part('epoch', row.at) AS at_seconds, row.status, row.duration_ms, CASE WHEN (sum(coalesce(octet_length(row.answer), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.answer END AS answer, row.error, sum(coalesce(octet_length(row.answer), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT webhook_attempts.id AS id, webhook_attempts.delivery_id AS delivery_id, webhook_attempts.number AS number, webhook_attempts.at AS at, webhook_attempts.status AS status, webhook_attempts.duration_ms AS duration_ms, webhook_attempts.answer AS answer, webhook_attempts.error AS error
FROM webhook_attempts
WHERE webhook_attempts.account_id = $3::BIGINT AND webhook_attempts.delivery_id = parent.key ORDER BY webhook_attempts.id ASC
LIMIT 2) AS row ON true;

SELECT webhook_deliveries.id
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $1::BIGINT AND webhook_deliveries.id = any(ARRAY[$2::BIGINT]);
