INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;

SELECT hosts.id, participants.created_at, participants.updated_at, participants.account_id, participants.id AS id_1, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM hosts LEFT OUTER JOIN participants ON participants.account_id = hosts.account_id AND participants.host_id = hosts.id AND participants.conversation_id = $1::BIGINT
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT ORDER BY hosts.id, participants.id
LIMIT $4::INTEGER;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE, deadline_response_at=$2::TIMESTAMP WITH TIME ZONE, last_message_at=$3::TIMESTAMP WITH TIME ZONE, read_at=$4::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $5::BIGINT AND conversations.id = $6::BIGINT;

INSERT INTO messages (created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, id, conversation_id, sender_id, content, channel, origin, visibility, sent_at) VALUES ($1, $2::BIGINT, $3::BIGINT, $4::BIGINT, $5::TIMESTAMP WITH TIME ZONE, $6::TIMESTAMP WITH TIME ZONE, $7::BIGINT, $8::BIGINT, $9::BIGINT, $10::BIGINT, $11::VARCHAR, $12, $13, $14, $15::TIMESTAMP WITH TIME ZONE);

UPDATE participants SET updated_at=$1::TIMESTAMP WITH TIME ZONE, last_message_sent_at=$2::TIMESTAMP WITH TIME ZONE WHERE participants.account_id = $3::BIGINT AND participants.id = $4::BIGINT;

UPDATE conversations c
SET unanswered_since = told.unanswered_since, unread_count = told.unread_count
FROM (
SELECT c.id, told.unanswered_since, told.unread_count
FROM conversations c CROSS JOIN LATERAL (
SELECT min(sent_at) FILTER (WHERE by_guest AND NOT answered) AS unanswered_since,
count(*) FILTER (WHERE by_guest AND sent_at > coalesce(c.read_at, '-infinity')) AS unread_count
FROM (
SELECT m.sent_at, p.member_type = 'CLIENT' AS by_guest,
bool_or(p.member_type = 'HOST') OVER (ORDER BY m.sent_at DESC, m.id DESC) AS answered
FROM messages m JOIN participants p ON (p.account_id, p.id) = (m.account_id, m.sender_id)
WHERE m.account_id = c.account_id AND m.conversation_id = c.id AND m.visibility = 'EXTERNAL'
) message
) told
WHERE c.account_id = $1 AND c.id = ANY($2::bigint[])
) told
WHERE c.account_id = $1 AND c.id = told.id
AND (c.unanswered_since, c.unread_count) IS DISTINCT FROM (told.unanswered_since, told.unread_count);

INSERT INTO conversation_texts (account_id, conversation_id, words)
SELECT c.account_id, c.id,
search_document(c.account_id, concat_ws(E'\f', c.subject, head.content), coalesce(body.content, ''))
FROM conversations c
CROSS JOIN LATERAL (
SELECT string_agg(content, E'\f' ORDER BY content) AS content
FROM (
SELECT concat_ws(E'\f', b.reference, b.external_reference, l.fullname)
FROM conversation_bookings cb
JOIN bookings b ON (b.account_id, b.id) = (cb.account_id, cb.booking_id)
LEFT JOIN clients l ON (l.account_id, l.id) = (b.account_id, b.client_id)
WHERE (cb.account_id, cb.conversation_id) = (c.account_id, c.id)
UNION
SELECT coalesce(l.fullname, concat_ws(' ', h.firstname, h.lastname))
FROM participants p
LEFT JOIN clients l ON (l.account_id, l.id) = (p.account_id, p.client_id)
LEFT JOIN hosts h ON (h.account_id, h.id) = (p.account_id, p.host_id)
WHERE (p.account_id, p.conversation_id) = (c.account_id, c.id)
) piece (content)
) head
CROSS JOIN LATERAL (
SELECT string_agg(content, E'\f' ORDER BY place) AS content
FROM (
SELECT m.content, row_number() OVER newest AS place,
sum(length(m.content)) OVER newest - length(m.content) AS start
FROM messages m WHERE (m.account_id, m.conversation_id) = (c.account_id, c.id)
WINDOW newest AS (ORDER BY m.sent_at DESC, m.id DESC)
) message
WHERE start < 50000
) body
WHERE c.account_id = $1 AND c.id = ANY($2::bigint[])
ON CONFLICT (account_id, conversation_id) DO UPDATE SET words = excluded.words
WHERE conversation_texts.words <> excluded.words;

SELECT messages.created_by_type, messages.created_by_id, messages.created_by_user_id, messages.created_by_application_id, messages.created_at, messages.updated_at, messages.account_id, messages.id, messages.conversation_id, messages.sender_id, messages.content, messages.channel, messages.origin, messages.visibility, messages.sent_at
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = any($2::BIGINT[]);

SELECT participants.id, participants.last_message_sent_at
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any($2::BIGINT[]);

SELECT users.id, users.name
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any($2::BIGINT[]);

SELECT conversations.id, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.read_at
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT idempotency_keys.digest, idempotency_keys.written_id
FROM idempotency_keys
WHERE idempotency_keys.account_id = $1::BIGINT AND idempotency_keys.actor_type = $2 AND idempotency_keys.actor_id = $3::BIGINT AND idempotency_keys.key = $4::VARCHAR;

SELECT messages.created_by_type, messages.created_by_id, messages.created_by_user_id, messages.created_by_application_id, messages.created_at, messages.updated_at, messages.account_id, messages.id, messages.conversation_id, messages.sender_id, messages.content, messages.channel, messages.origin, messages.visibility, messages.sent_at
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = any($2::BIGINT[]);

SELECT participants.id, participants.last_message_sent_at
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any($2::BIGINT[]);

SELECT users.id, users.name
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any($2::BIGINT[]);

SELECT conversations.id, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.read_at
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT idempotency_keys.digest, idempotency_keys.written_id
FROM idempotency_keys
WHERE idempotency_keys.account_id = $1::BIGINT AND idempotency_keys.actor_type = $2 AND idempotency_keys.actor_id = $3::BIGINT AND idempotency_keys.key = $4::VARCHAR;
