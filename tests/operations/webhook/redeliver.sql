SELECT webhook_deliveries.id, webhook_deliveries.endpoint_id
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $1::BIGINT AND webhook_deliveries.id = any($2::BIGINT[]) ORDER BY webhook_deliveries.id FOR UPDATE;

SELECT webhook_endpoints.id
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = any($2::BIGINT[]) AND webhook_endpoints.enabled;

UPDATE webhook_deliveries SET state=$1, failures=$2::INTEGER, due_at=$3::TIMESTAMP WITH TIME ZONE, leased_until=NULL, finished_at=NULL WHERE webhook_deliveries.account_id = $4::BIGINT AND webhook_deliveries.id = any($5::BIGINT[]) AND (webhook_deliveries.leased_until IS NULL OR webhook_deliveries.leased_until < $3::TIMESTAMP WITH TIME ZONE);

SELECT webhook_deliveries.id, webhook_deliveries.message_id, webhook_deliveries.state, webhook_deliveries.attempt_count
FROM webhook_deliveries
WHERE webhook_deliveries.account_id = $1::BIGINT AND webhook_deliveries.id = any(ARRAY[$2::BIGINT]);
