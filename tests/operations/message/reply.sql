INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT conversations.external_id, conversations.external_digest, conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.undelivered_count, conversations.wait_ended_at, conversations.read, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = $2::BIGINT FOR NO KEY UPDATE;

SELECT hosts.id AS member, participants.created_at, participants.updated_at, participants.account_id, participants.id, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM hosts LEFT OUTER JOIN participants ON participants.account_id = hosts.account_id AND participants.host_id = hosts.id AND participants.conversation_id = $1::BIGINT
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT ORDER BY hosts.id, participants.id
LIMIT 1;

UPDATE participants SET updated_at=$1::TIMESTAMP WITH TIME ZONE, last_message_sent_at=$2::TIMESTAMP WITH TIME ZONE WHERE participants.account_id = $3::BIGINT AND participants.id = $4::BIGINT;

INSERT INTO messages (created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, id, conversation_id, sender_id, content, channel, origin, visibility, sent_at, automatic, delivery_state, delivery_at, delivery_attempts) VALUES ($1, $2::BIGINT, $3::BIGINT, $4::BIGINT, $5::TIMESTAMP WITH TIME ZONE, $6::TIMESTAMP WITH TIME ZONE, $7::BIGINT, $8::BIGINT, $9::BIGINT, $10::BIGINT, $11::VARCHAR, $12, $13, $14, $15::TIMESTAMP WITH TIME ZONE, $16::BOOLEAN, $17, $18::TIMESTAMP WITH TIME ZONE, $19::SMALLINT) RETURNING messages.id;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE, deadline_response_at=$2::TIMESTAMP WITH TIME ZONE, read_at=$3::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $4::BIGINT AND conversations.id = $5::BIGINT;

-- db.queries.derivation.COUNTERS;

-- db.queries.derivation.TEXTS;

EXECUTE log_changes (1, 3, '{PARTICIPANT,MESSAGE,CONVERSATION}', '{2,1000,1}', '{1,1,1}', '{UPSERTED,UPSERTED,UPSERTED}', '{"{}","{MESSAGE_CREATED,MESSAGE_OUTGOING}","{}"}'); COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto;

SELECT row.created_by_user_id, row.created_by_application_id, row.id, row.conversation_id, row.sender_id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, row.channel, row.origin, row.visibility, row.sent_at, date_part('epoch', row.sent_at) AS sent_at_seconds, conversation_id.id AS "conversation_id.id", date_part('epoch', conversation_id.closed_at) AS "conversation_id.closed_at_seconds", date_part('epoch', conversation_id.deadline_response_at) AS "conversation_id.deadline_response_at_seconds", date_part('epoch', conversation_id.last_message_at) AS "conversation_id.last_message_at_seconds", conversation_id.read AS "conversation_id.read", created_by_application_id.id AS "created_by_application_id.id", created_by_user_id.id AS "created_by_user_id.id", created_by_user_id.name AS "created_by_user_id.name", sender_id.id AS "sender_id.id", date_part('epoch', sender_id.last_message_sent_at) AS "sender_id.last_message_sent_at_seconds", sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM (SELECT messages.created_by_user_id AS created_by_user_id, messages.created_by_application_id AS created_by_application_id, messages.id AS id, messages.conversation_id AS conversation_id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.origin AS origin, messages.visibility AS visibility, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.id = any(ARRAY[$3::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.read AS read
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $2::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true LEFT OUTER JOIN LATERAL (SELECT participants.id AS id, participants.last_message_sent_at AS last_message_sent_at
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.id = row.sender_id
LIMIT 1) AS sender_id ON true;

SELECT conversations.id, date_part('epoch', conversations.last_message_at) AS last_message_at_seconds
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, row.id, row.sent_at
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 2) AS row ON true;

SELECT count(*) FILTER (WHERE NOT conversations.read) AS unread
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT idempotency_keys.digest, idempotency_keys.written_id
FROM idempotency_keys
WHERE idempotency_keys.account_id = $1::BIGINT AND idempotency_keys.actor_type = $2 AND idempotency_keys.actor_id = $3::BIGINT AND idempotency_keys.key = $4::VARCHAR;

SELECT row.created_by_user_id, row.created_by_application_id, row.id, row.conversation_id, row.sender_id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, row.channel, row.origin, row.visibility, row.sent_at, date_part('epoch', row.sent_at) AS sent_at_seconds, conversation_id.id AS "conversation_id.id", date_part('epoch', conversation_id.closed_at) AS "conversation_id.closed_at_seconds", date_part('epoch', conversation_id.deadline_response_at) AS "conversation_id.deadline_response_at_seconds", date_part('epoch', conversation_id.last_message_at) AS "conversation_id.last_message_at_seconds", conversation_id.read AS "conversation_id.read", created_by_application_id.id AS "created_by_application_id.id", created_by_user_id.id AS "created_by_user_id.id", created_by_user_id.name AS "created_by_user_id.name", sender_id.id AS "sender_id.id", date_part('epoch', sender_id.last_message_sent_at) AS "sender_id.last_message_sent_at_seconds", sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM (SELECT messages.created_by_user_id AS created_by_user_id, messages.created_by_application_id AS created_by_application_id, messages.id AS id, messages.conversation_id AS conversation_id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.origin AS origin, messages.visibility AS visibility, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.id = any(ARRAY[$3::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.read AS read
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $2::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true LEFT OUTER JOIN LATERAL (SELECT participants.id AS id, participants.last_message_sent_at AS last_message_sent_at
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.id = row.sender_id
LIMIT 1) AS sender_id ON true;

SELECT conversations.id, date_part('epoch', conversations.last_message_at) AS last_message_at_seconds
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, row.id, row.sent_at
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 2) AS row ON true;

SELECT count(*) FILTER (WHERE NOT conversations.read) AS unread
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT idempotency_keys.digest, idempotency_keys.written_id
FROM idempotency_keys
WHERE idempotency_keys.account_id = $1::BIGINT AND idempotency_keys.actor_type = $2 AND idempotency_keys.actor_id = $3::BIGINT AND idempotency_keys.key = $4::VARCHAR;

SELECT count(*) FILTER (WHERE NOT conversations.read) AS unread
FROM conversations
WHERE conversations.account_id = $1::BIGINT;
