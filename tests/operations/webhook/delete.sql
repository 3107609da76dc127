SELECT webhook_endpoints.created_by_type, webhook_endpoints.created_by_id, webhook_endpoints.created_by_user_id, webhook_endpoints.created_by_application_id, webhook_endpoints.created_at, webhook_endpoints.updated_at, webhook_endpoints.account_id, webhook_endpoints.id, webhook_endpoints.url, webhook_endpoints.events, webhook_endpoints.enabled, webhook_endpoints.disabled_reason, webhook_endpoints.document_id, webhook_endpoints.scopes, webhook_endpoints.secret, webhook_endpoints.secret_id, webhook_endpoints.previous_secret, webhook_endpoints.previous_secret_until, webhook_endpoints.failing_since, webhook_endpoints.after_number
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = $2::BIGINT FOR UPDATE;

DELETE FROM webhook_endpoints WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = $2::BIGINT;

EXECUTE log_change (1, 1, 'WEBHOOK_ENDPOINT', 2, NULL, 'REMOVED', '{}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT webhook_endpoints.created_by_type, webhook_endpoints.created_by_id, webhook_endpoints.created_by_user_id, webhook_endpoints.created_by_application_id, webhook_endpoints.created_at, webhook_endpoints.updated_at, webhook_endpoints.account_id, webhook_endpoints.id, webhook_endpoints.url, webhook_endpoints.events, webhook_endpoints.enabled, webhook_endpoints.disabled_reason, webhook_endpoints.document_id, webhook_endpoints.scopes, webhook_endpoints.secret, webhook_endpoints.secret_id, webhook_endpoints.previous_secret, webhook_endpoints.previous_secret_until, webhook_endpoints.failing_since, webhook_endpoints.after_number
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = $2::BIGINT FOR UPDATE;
