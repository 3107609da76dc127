SELECT count(*) FILTER (WHERE (SELECT count(*) AS count_1
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.user_id = $2::BIGINT)) > 0 AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.user_id = $2::BIGINT)) AS mine, count(*) FILTER (WHERE conversations.waiting_since IS NOT NULL) AS needs_reply, count(*) FILTER (WHERE conversations.closed_at IS NULL AND conversations.marked_as_spam_at IS NULL) AS open, count(*) FILTER (WHERE conversations.waiting_since IS NOT NULL AND CASE WHEN (conversations.deadline_response_at IS NULL) THEN 'infinity'::timestamptz ELSE conversations.deadline_response_at END < now()) AS overdue, count(*) FILTER (WHERE conversations.marked_as_spam_at IS NOT NULL) AS spam, count(*) FILTER (WHERE conversations.assignee_id IS NULL) AS unassigned, count(*) FILTER (WHERE NOT conversations.read) AS unread
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

SELECT epochs.value AS epoch, coalesce(c.number, 0) AS number, coalesce(c.removed, 0) AS removed
FROM epochs LEFT JOIN change_counters c ON c.account_id = $1;

WITH today AS MATERIALIZED
(SELECT least(timezone(clock.time_zone, clock.midnight), timezone(clock.time_zone, clock.midnight - interval '1 hour') + interval '1 hour') AS begins, least(timezone(clock.time_zone, clock.midnight + interval '1 day'), timezone(clock.time_zone, (clock.midnight + interval '1 day') - interval '1 hour') + interval '1 hour') AS ends
FROM (SELECT accounts.time_zone AS time_zone, date_trunc('day', timezone(accounts.time_zone, now())) AS midnight
FROM accounts
WHERE accounts.id = $2::BIGINT) AS clock)
SELECT parent.position, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, date_part('epoch', row.closed_at) AS closed_at_seconds, date_part('epoch', row.deadline_response_at) AS deadline_response_at_seconds, row.last_message_at, date_part('epoch', row.last_message_at) AS last_message_at_seconds, row.unread_count, row.read, date_part('epoch', row.waiting_since) AS waiting_since_seconds, row.deciding_booking_id, row.guest_id, row.stage
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.unread_count AS unread_count, conversations.read AS read, conversations.waiting_since AS waiting_since, (SELECT bookings.id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN today ON true
WHERE conversation_bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = conversations.id AND CASE WHEN (bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 0 WHEN (bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 1 WHEN (bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 2 WHEN (bookings.status = 'BOOKED' AND greatest(bookings.start_at, bookings.end_at) >= today.begins) THEN 3 WHEN (bookings.status = 'BOOKED') THEN 4 WHEN (bookings.status IN ('TENTATIVE', 'UNAVAILABLE')) THEN 5 WHEN (bookings.status = 'CANCELED') THEN 6 END IS NOT NULL ORDER BY CASE WHEN (bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 0 WHEN (bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 1 WHEN (bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 2 WHEN (bookings.status = 'BOOKED' AND greatest(bookings.start_at, bookings.end_at) >= today.begins) THEN 3 WHEN (bookings.status = 'BOOKED') THEN 4 WHEN (bookings.status IN ('TENTATIVE', 'UNAVAILABLE')) THEN 5 WHEN (bookings.status = 'CANCELED') THEN 6 END, greatest(bookings.start_at, bookings.end_at) < today.begins, CASE WHEN (greatest(bookings.start_at, bookings.end_at) < today.begins) THEN 'infinity'::timestamptz ELSE bookings.start_at END, greatest(bookings.start_at, bookings.end_at) DESC, bookings.id
LIMIT 1) AS deciding_booking_id, coalesce((SELECT participants.client_id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = conversations.id AND participants.client_id IS NOT NULL ORDER BY participants.last_message_sent_at DESC NULLS LAST, participants.id
LIMIT 1), (SELECT bookings.client_id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN today ON true
WHERE conversation_bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = conversations.id AND CASE WHEN (bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 0 WHEN (bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 1 WHEN (bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 2 WHEN (bookings.status = 'BOOKED' AND greatest(bookings.start_at, bookings.end_at) >= today.begins) THEN 3 WHEN (bookings.status = 'BOOKED') THEN 4 WHEN (bookings.status IN ('TENTATIVE', 'UNAVAILABLE')) THEN 5 WHEN (bookings.status = 'CANCELED') THEN 6 END IS NOT NULL ORDER BY CASE WHEN (bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 0 WHEN (bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 1 WHEN (bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 2 WHEN (bookings.status = 'BOOKED' AND greatest(bookings.start_at, bookings.end_at) >= today.begins) THEN 3 WHEN (bookings.status = 'BOOKED') THEN 4 WHEN (bookings.status IN ('TENTATIVE', 'UNAVAILABLE')) THEN 5 WHEN (bookings.status = 'CANCELED') THEN 6 END, greatest(bookings.start_at, bookings.end_at) < today.begins, CASE WHEN (greatest(bookings.start_at, bookings.end_at) < today.begins) THEN 'infinity'::timestamptz ELSE bookings.start_at END, greatest(bookings.start_at, bookings.end_at) DESC, bookings.id
LIMIT 1)) AS guest_id, CASE WHEN (conversations.stays_until IS NOT NULL AND conversations.stays_until < (SELECT today.begins
FROM today)) THEN 'POST_STAY' WHEN (conversations.stays_until IS NULL AND (conversations.booking_statuses NOT IN (16, 24))) THEN 'INQUIRY' WHEN (conversations.stays_until IS NULL AND conversations.booking_statuses IN (16, 24)) THEN 'CANCELED' ELSE (SELECT CASE WHEN bool_or(bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 'CHECK_IN_TODAY' WHEN bool_or(bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 'CHECK_OUT_TODAY' WHEN bool_or(bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 'AT_PROPERTY' ELSE 'RESERVED' END AS anon_1
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN today ON true
WHERE conversation_bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = conversations.id) END AS stage
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.marked_as_spam_at IS NULL AND (conversations.marked_as_spam_at IS NULL) IS true AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $3) AS row ON true;

SELECT sources.id, sources.name
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = any(ARRAY[$2::BIGINT]);

SELECT hosts.id, hosts.firstname, hosts.lastname, hosts.email
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

SELECT clients.id, clients.fullname, clients.email, clients.phone
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any(ARRAY[$2::BIGINT]);

SELECT bookings.id, bookings.status, date_part('epoch', bookings.start_at) AS start_at_seconds, date_part('epoch', bookings.end_at) AS end_at_seconds, bookings.rental_id
FROM bookings
WHERE bookings.account_id = $1::BIGINT AND bookings.id = any(ARRAY[$2::BIGINT]);

SELECT rentals.id, rentals.name
FROM rentals
WHERE rentals.account_id = $1::BIGINT AND rentals.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, row.id, row.sender_id, row.visibility, row.sent_at, date_part('epoch', row.sent_at) AS sent_at_seconds, CASE WHEN (sum(coalesce(octet_length(row.beginning), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.beginning END AS beginning, sum(coalesce(octet_length(row.beginning), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.sender_id AS sender_id, messages.visibility AS visibility, messages.sent_at AS sent_at, left(messages.content, 4001) AS beginning
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 2) AS row ON true;

SELECT participants.id, participants.member_type
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any(ARRAY[$2::BIGINT]);
