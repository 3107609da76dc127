SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT conversation_bookings.conversation_id AS parent, count(*) AS total
FROM conversation_bookings
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = any(ARRAY[$2::BIGINT]) GROUP BY conversation_bookings.conversation_id;

SELECT parent.position, row.id, row.reference
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id, bookings.reference AS reference
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT 21) AS row ON true;

SELECT inquiries.conversation_id AS parent, count(*) AS total
FROM inquiries
WHERE inquiries.account_id = $1::BIGINT AND inquiries.conversation_id = any(ARRAY[$2::BIGINT]) GROUP BY inquiries.conversation_id;

SELECT parent.position, row.id, CASE WHEN (sum(coalesce(octet_length(row.message), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.message END AS message, sum(coalesce(octet_length(row.message), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest(ARRAY[$2::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT inquiries.id AS id, inquiries.message AS message
FROM inquiries
WHERE inquiries.account_id = $3::BIGINT AND inquiries.conversation_id = parent.key ORDER BY inquiries.id ASC
LIMIT 21) AS row ON true;

SELECT messages.conversation_id AS parent, count(*) AS total
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.conversation_id = any(ARRAY[$2::BIGINT]) GROUP BY messages.conversation_id;

SELECT parent.position, row.id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, row.sent_at, date_part('epoch', row.sent_at) AS sent_at_seconds, sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest(ARRAY[$2::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.content AS content, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT 21) AS row ON true;

SELECT participants.conversation_id AS parent, count(*) AS total
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.conversation_id = any(ARRAY[$2::BIGINT]) GROUP BY participants.conversation_id;

SELECT parent.position, row.id, row.member_type
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT participants.id AS id, participants.member_type AS member_type
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key ORDER BY participants.id ASC
LIMIT 21) AS row ON true;
