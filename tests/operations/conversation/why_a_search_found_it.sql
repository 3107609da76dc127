SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND (EXISTS (SELECT conversation_texts.conversation_id
FROM conversation_texts
WHERE conversation_texts.account_id = $2::BIGINT AND conversation_texts.conversation_id = conversations.id AND (conversation_texts.words @@ search_query($2::BIGINT, $3::VARCHAR)))) AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $4) AS row ON true;

SELECT CAST(search_query($1::BIGINT, $2::VARCHAR) AS TEXT) AS asked
FROM accounts
WHERE accounts.id = $1::BIGINT;

SELECT parent.key, found.message_id, CASE WHEN (sum(coalesce(octet_length(found.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN found.content END AS content, sum(coalesce(octet_length(found.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) AS parent(key) JOIN LATERAL (SELECT split.message_id AS message_id, split.sent_at AS sent_at, split.place AS place, split.content AS content, split.indexed AS indexed, split.words AS words
FROM (SELECT texts.message_id AS message_id, texts.sent_at AS sent_at, texts.place AS place, texts.content AS content, texts.indexed AS indexed, search_words(translate(search_plain(texts.indexed), '-', ' ')) AS words
FROM (SELECT simplified.message_id AS message_id, simplified.sent_at AS sent_at, simplified.place AS place, simplified.content AS content, CASE WHEN ($3::VARCHAR = '') THEN simplified.content ELSE (SELECT string_agg(DISTINCT piece.text[1], ' ') AS string_agg_1
FROM regexp_matches(simplified.simple, $3::VARCHAR, 'g') AS piece(text)) END AS indexed
FROM (SELECT newest.message_id AS message_id, newest.sent_at AS sent_at, newest.place AS place, newest.content AS content, lower(CASE WHEN (octet_length(newest.content) = length(newest.content)) THEN newest.content ELSE normalize(newest.content, NFKD) END) AS simple
FROM (SELECT messages.id AS message_id, messages.sent_at AS sent_at, 0 AS place, left(messages.content, 4000) AS content
FROM messages
WHERE messages.account_id = $4::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 50) AS newest
LIMIT ALL OFFSET 0) AS simplified
WHERE simplified.simple ~ $5::VARCHAR UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 1 AS place, conversations.subject AS content, conversations.subject AS indexed
FROM conversations
WHERE conversations.account_id = $4::BIGINT AND conversations.id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 2 AS place, concat_ws(' ', hosts.firstname, hosts.lastname) AS content, concat_ws(' ', hosts.firstname, hosts.lastname) AS indexed
FROM participants JOIN hosts ON hosts.account_id = participants.account_id AND hosts.id = participants.host_id
WHERE participants.account_id = $4::BIGINT AND participants.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 2 AS place, clients.fullname AS content, clients.fullname AS indexed
FROM participants JOIN clients ON clients.account_id = participants.account_id AND clients.id = participants.client_id
WHERE participants.account_id = $4::BIGINT AND participants.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 3 AS place, clients.email AS content, search_contact(clients.email, NULL) AS indexed
FROM participants JOIN clients ON clients.account_id = participants.account_id AND clients.id = participants.client_id
WHERE participants.account_id = $4::BIGINT AND participants.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 3 AS place, clients.phone AS content, search_contact(NULL, clients.phone) AS indexed
FROM participants JOIN clients ON clients.account_id = participants.account_id AND clients.id = participants.client_id
WHERE participants.account_id = $4::BIGINT AND participants.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 2 AS place, clients.fullname AS content, clients.fullname AS indexed
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN clients ON clients.account_id = bookings.account_id AND clients.id = bookings.client_id
WHERE conversation_bookings.account_id = $4::BIGINT AND conversation_bookings.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 3 AS place, clients.email AS content, search_contact(clients.email, NULL) AS indexed
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN clients ON clients.account_id = bookings.account_id AND clients.id = bookings.client_id
WHERE conversation_bookings.account_id = $4::BIGINT AND conversation_bookings.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 3 AS place, clients.phone AS content, search_contact(NULL, clients.phone) AS indexed
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN clients ON clients.account_id = bookings.account_id AND clients.id = bookings.client_id
WHERE conversation_bookings.account_id = $4::BIGINT AND conversation_bookings.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 4 AS place, bookings.reference AS content, concat_ws(E'\f', bookings.reference, search_ends(bookings.reference, 3, 12)) AS indexed
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $4::BIGINT AND conversation_bookings.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 4 AS place, bookings.external_reference AS content, concat_ws(E'\f', bookings.external_reference, search_ends(bookings.external_reference, 3, 12)) AS indexed
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $4::BIGINT AND conversation_bookings.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 2 AS place, concat_ws(' ', inquiries.firstname, inquiries.lastname) AS content, concat_ws(' ', inquiries.firstname, inquiries.lastname) AS indexed
FROM inquiries
WHERE inquiries.account_id = $4::BIGINT AND inquiries.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 3 AS place, inquiries.email AS content, search_contact(inquiries.email, NULL) AS indexed
FROM inquiries
WHERE inquiries.account_id = $4::BIGINT AND inquiries.conversation_id = parent.key UNION ALL SELECT CAST(NULL AS BIGINT) AS message_id, CAST(NULL AS TIMESTAMP(3) WITH TIME ZONE) AS sent_at, 3 AS place, inquiries.phone AS content, search_contact(NULL, inquiries.phone) AS indexed
FROM inquiries
WHERE inquiries.account_id = $4::BIGINT AND inquiries.conversation_id = parent.key) AS texts
LIMIT ALL OFFSET 0) AS split
WHERE split.words @@ CAST($6::VARCHAR AS TSQUERY) ORDER BY (split.words @@ CAST($7::VARCHAR AS TSQUERY)) DESC, ts_rank(strip(split.words), CAST($6::VARCHAR AS TSQUERY)) DESC, split.place, split.sent_at DESC, split.message_id DESC, split.content
LIMIT 1) AS found ON true;
