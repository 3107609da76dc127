SELECT parent.position, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key ORDER BY conversations.created_at ASC, conversations.id ASC
LIMIT 5) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversation_bookings.booking_id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key AND conversation_bookings.booking_id >= $3::BIGINT ORDER BY conversation_bookings.booking_id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT bookings.id AS id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key AND conversation_bookings.booking_id < $3::BIGINT ORDER BY conversation_bookings.booking_id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversation_bookings.booking_id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key AND conversation_bookings.booking_id <= $3::BIGINT ORDER BY conversation_bookings.booking_id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT bookings.id AS id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key AND conversation_bookings.booking_id > $3::BIGINT ORDER BY conversation_bookings.booking_id DESC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT inquiries.id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.conversation_id = parent.key AND inquiries.id >= $3::BIGINT ORDER BY inquiries.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT inquiries.id AS id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.conversation_id = parent.key AND inquiries.id < $3::BIGINT ORDER BY inquiries.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT inquiries.id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.conversation_id = parent.key AND inquiries.id <= $3::BIGINT ORDER BY inquiries.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT inquiries.id AS id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.conversation_id = parent.key AND inquiries.id > $3::BIGINT ORDER BY inquiries.id DESC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT participants.id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key AND participants.id >= $3::BIGINT ORDER BY participants.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT participants.id AS id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key AND participants.id < $3::BIGINT ORDER BY participants.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT participants.id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key AND participants.id <= $3::BIGINT ORDER BY participants.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT participants.id AS id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key AND participants.id > $3::BIGINT ORDER BY participants.id DESC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT messages.id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key AND (messages.sent_at, messages.id) >= ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT messages.id AS id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key AND (messages.sent_at, messages.id) < ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT messages.id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key AND (messages.sent_at, messages.id) <= ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT messages.id AS id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key AND (messages.sent_at, messages.id) > ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 3) AS row ON true;

SELECT messages.conversation_id AS parent, count(*) AS total
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.visibility = $2 AND messages.conversation_id = any($3::BIGINT[]) GROUP BY messages.conversation_id;

SELECT parent.position, row.id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.content AS content
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.visibility = $4 AND messages.conversation_id = parent.key ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT $5) AS row ON true;
