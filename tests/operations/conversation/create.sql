INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, written_id, created_at) VALUES ($1::BIGINT, $2, $3::BIGINT, $4::VARCHAR, $5::BYTEA, nextval('row_ids'), $6::TIMESTAMP WITH TIME ZONE) ON CONFLICT (account_id, actor_type, actor_id, key) DO UPDATE SET digest = excluded.digest, written_id = excluded.written_id, created_at = excluded.created_at WHERE idempotency_keys.created_at < $7::TIMESTAMP WITH TIME ZONE RETURNING idempotency_keys.written_id;

SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

SELECT sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = $2::BIGINT;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);

INSERT INTO conversations (created_by_type, created_by_id, created_by_user_id, created_by_application_id, created_at, updated_at, account_id, id, subject, assignee_id, source_id, default_channel, closed_at, deadline_response_at, last_message_at, marked_as_spam_at, read_at, unanswered_since, unread_count) VALUES ($1, $2::BIGINT, $3::BIGINT, $4::BIGINT, $5::TIMESTAMP WITH TIME ZONE, $6::TIMESTAMP WITH TIME ZONE, $7::BIGINT, $8::BIGINT, $9::VARCHAR, $10::BIGINT, $11::BIGINT, $12, $13::TIMESTAMP WITH TIME ZONE, $14::TIMESTAMP WITH TIME ZONE, $15::TIMESTAMP WITH TIME ZONE, $16::TIMESTAMP WITH TIME ZONE, $17::TIMESTAMP WITH TIME ZONE, $18::TIMESTAMP WITH TIME ZONE, $19::INTEGER) RETURNING conversations.waiting_since;

INSERT INTO conversation_bookings (account_id, conversation_id, booking_id) SELECT bookings.account_id, $1::BIGINT AS anon_1, bookings.id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any($3::BIGINT[]) ON CONFLICT DO NOTHING RETURNING conversation_bookings.booking_id;

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

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT hosts.id, hosts.firstname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

SELECT sources.id, sources.name
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = any($2::BIGINT[]);

SELECT users.id, users.name
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any($2::BIGINT[]);

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT 21) AS row ON true;

SELECT sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = $2::BIGINT;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);
