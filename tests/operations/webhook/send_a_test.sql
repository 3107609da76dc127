SELECT webhook_endpoints.created_by_type, webhook_endpoints.created_by_id, webhook_endpoints.created_by_user_id, webhook_endpoints.created_by_application_id, webhook_endpoints.created_at, webhook_endpoints.updated_at, webhook_endpoints.account_id, webhook_endpoints.id, webhook_endpoints.url, webhook_endpoints.events, webhook_endpoints.enabled, webhook_endpoints.disabled_reason, webhook_endpoints.document_id, webhook_endpoints.scopes, webhook_endpoints.secret, webhook_endpoints.secret_id, webhook_endpoints.previous_secret, webhook_endpoints.previous_secret_until, webhook_endpoints.failing_since, webhook_endpoints.after_number
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = $2::BIGINT FOR UPDATE;

INSERT INTO webhook_deliveries
(account_id, endpoint_id, message_id, event, conversation_id, data, change_number, state, due_at, created_at)
SELECT e.account_id, e.id, 'msg_' || replace(gen_random_uuid()::text, '-', ''), 'TEST', NULL, jsonb_build_object('at', date_trunc('milliseconds', now())), NULL, 'PENDING', date_trunc('milliseconds', now()), date_trunc('milliseconds', now())
FROM webhook_endpoints e WHERE e.account_id = $1 AND e.id = $2
RETURNING id;

SELECT webhook_deliveries.id, webhook_deliveries.event, webhook_deliveries.state, webhook_deliveries.attempt_count
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $1::BIGINT AND webhook_deliveries.id = any(ARRAY[$2::BIGINT]);

SELECT webhook_endpoints.created_by_type, webhook_endpoints.created_by_id, webhook_endpoints.created_by_user_id, webhook_endpoints.created_by_application_id, webhook_endpoints.created_at, webhook_endpoints.updated_at, webhook_endpoints.account_id, webhook_endpoints.id, webhook_endpoints.url, webhook_endpoints.events, webhook_endpoints.enabled, webhook_endpoints.disabled_reason, webhook_endpoints.document_id, webhook_endpoints.scopes, webhook_endpoints.secret, webhook_endpoints.secret_id, webhook_endpoints.previous_secret, webhook_endpoints.previous_secret_until, webhook_endpoints.failing_since, webhook_endpoints.after_number
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = $2::BIGINT FOR UPDATE;
