INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT accounts.id
FROM accounts
WHERE accounts.id = $1::BIGINT FOR NO KEY UPDATE;

SELECT count(*) AS total
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT;

SELECT change_counters.number
FROM change_counters
WHERE change_counters.account_id = $1::BIGINT;

INSERT INTO webhook_endpoints (created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, id, url, events, enabled, document_id, scopes, secret, secret_id, after_number) VALUES ($1, $2::BIGINT, $3::BIGINT, $4::BIGINT, $5::TIMESTAMP WITH TIME ZONE, $6::TIMESTAMP WITH TIME ZONE, $7::BIGINT, $8::BIGINT, $9::VARCHAR, $10::VARCHAR(32)[], $11::BOOLEAN, $12::VARCHAR, $13::VARCHAR(64)[], $14::BYTEA, $15::BIGINT, $16::BIGINT) RETURNING webhook_endpoints.id;

EXECUTE log_change (1, 1, 'WEBHOOK_ENDPOINT', 1000, NULL, 'UPSERTED', '{}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT webhook_endpoints.created_by_type, webhook_endpoints.id, webhook_endpoints.url, webhook_endpoints.events, webhook_endpoints.enabled, webhook_endpoints.scopes
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = any(ARRAY[$2::BIGINT]);
