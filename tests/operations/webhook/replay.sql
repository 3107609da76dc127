SELECT webhook_endpoints.created_by_type, webhook_endpoints.created_by_id, webhook_endpoints.created_by_user_id, webhook_endpoints.created_by_application_id, webhook_endpoints.created_at, webhook_endpoints.updated_at, webhook_endpoints.account_id, webhook_endpoints.id, webhook_endpoints.url, webhook_endpoints.events, webhook_endpoints.enabled, webhook_endpoints.disabled_reason, webhook_endpoints.document_id, webhook_endpoints.scopes, webhook_endpoints.secret, webhook_endpoints.secret_id, webhook_endpoints.previous_secret, webhook_endpoints.previous_secret_until, webhook_endpoints.failing_since, webhook_endpoints.after_number
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = $2::BIGINT FOR UPDATE;

SELECT epochs.value AS epoch, coalesce(c.number, 0) AS number, coalesce(c.removed, 0) AS removed
FROM epochs LEFT JOIN change_counters c ON c.account_id = $1;

WITH span AS (
SELECT c.number FROM changes c
WHERE c.account_id = $1 AND c.number > $3 AND c.events <> '{}' ORDER BY c.number LIMIT $4
), made AS (
INSERT INTO webhook_deliveries
(account_id, endpoint_id, message_id, event, conversation_id, data, change_number, state, due_at, created_at)
SELECT e.account_id, e.id, 'msg_' || replace(gen_random_uuid()::text, '-', ''), happened.event, c.conversation_id, jsonb_strip_nulls(jsonb_build_object(
'at', c.at,
'message', CASE WHEN c.type = 'MESSAGE' THEN c.node_id END,
'conversation', c.conversation_id
)), c.number, 'PENDING',
date_trunc('milliseconds', now()), date_trunc('milliseconds', now())
FROM webhook_endpoints e
JOIN changes c ON c.account_id = e.account_id AND c.number IN (SELECT number FROM span)
CROSS JOIN unnest(c.events) WITH ORDINALITY AS happened(event, place)
WHERE e.account_id = $1 AND e.id = $2 AND happened.event = ANY (e.events)
ORDER BY c.number, happened.place
RETURNING 1
)
SELECT (SELECT count(*) FROM made) AS deliveries, coalesce(max(number), $3) AS "end", count(*) = $4 AS has_more
FROM span;

SELECT webhook_endpoints.id
FROM webhook_endpoints
WHERE webhook_endpoints.account_id = $1::BIGINT AND webhook_endpoints.id = any(ARRAY[$2::BIGINT]);
