SELECT webhook_endpoints.created_by_type, webhook_endpoints.created_by_id, webhook_endpoints.created_by_user_id, webhook_endpoints.created_by_application_id, webhook_endpoints.created_at, webhook_endpoints.updated_at, webhook_endpoints.account_id, webhook_endpoints.id, webhook_endpoints.url, webhook_endpoints.events, webhook_endpoints.enabled, webhook_endpoints.disabled_reason, webhook_endpoints.document_id, webhook_endpoints.scopes, webhook_endpoints.secret, webhook_endpoints.secret_id, webhook_endpoints.previous_secret, webhook_endpoints.previous_secret_until, webhook_endpoints.failing_since, webhook_endpoints.after_number
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = $2::BIGINT FOR UPDATE;

UPDATE webhook_endpoints SET updated_at=$1::TIMESTAMP WITH TIME ZONE, url=$2::VARCHAR, events=$3::VARCHAR(32)[], enabled=$4::BOOLEAN, disabled_reason=$5::VARCHAR, document_id=$6::VARCHAR, scopes=$7::VARCHAR(64)[], failing_since=$8::TIMESTAMP WITH TIME ZONE WHERE webhook_endpoints.account_id = $9::BIGINT AND webhook_endpoints.id = $10::BIGINT;

EXECUTE log_change (1, 1, 'WEBHOOK_ENDPOINT', 1, NULL, 'UPSERTED', '{}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT webhook_endpoints.id, webhook_endpoints.url, webhook_endpoints.events, webhook_endpoints.enabled, webhook_endpoints.document_id, webhook_endpoints.scopes
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = any(ARRAY[$2::BIGINT]);
