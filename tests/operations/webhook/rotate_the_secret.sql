INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT webhook_endpoints.created_by_type, webhook_endpoints.created_by_id, webhook_endpoints.created_by_user_id, webhook_endpoints.created_by_application_id, webhook_endpoints.created_at, webhook_endpoints.updated_at, webhook_endpoints.account_id, webhook_endpoints.id, webhook_endpoints.url, webhook_endpoints.events, webhook_endpoints.enabled, webhook_endpoints.disabled_reason, webhook_endpoints.document_id, webhook_endpoints.scopes, webhook_endpoints.secret, webhook_endpoints.secret_id, webhook_endpoints.previous_secret, webhook_endpoints.previous_secret_until, webhook_endpoints.failing_since, webhook_endpoints.after_number
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = $2::BIGINT FOR UPDATE;

UPDATE webhook_endpoints SET updated_at=$1::TIMESTAMP WITH TIME ZONE, secret=$2::BYTEA, secret_id=$3::BIGINT, previous_secret=$4::BYTEA, previous_secret_until=$5::TIMESTAMP WITH TIME ZONE WHERE webhook_endpoints.account_id = $6::BIGINT AND webhook_endpoints.id = $7::BIGINT;

EXECUTE log_change (1, 1, 'WEBHOOK_ENDPOINT', 1, NULL, 'UPSERTED', '{}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT webhook_endpoints.id
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = any(ARRAY[$2::BIGINT]);
