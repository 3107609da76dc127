SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);

DELETE FROM conversation_bookings WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = $2::BIGINT AND conversation_bookings.booking_id = any($3::BIGINT[]) RETURNING conversation_bookings.booking_id;

UPDATE conversations SET updated_at=$1::TIMESTAMP WITH TIME ZONE WHERE conversations.account_id = $2::BIGINT AND conversations.id = $3::BIGINT;

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

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT 21) AS row ON true;

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) ORDER BY conversations.id FOR NO KEY UPDATE;

SELECT bookings.id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any($2::BIGINT[]);
