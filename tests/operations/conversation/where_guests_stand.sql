WITH today AS MATERIALIZED
(SELECT least(timezone(clock.time_zone, clock.midnight), timezone(clock.time_zone, clock.midnight - interval '1 hour') + interval '1 hour') AS begins, least(timezone(clock.time_zone, clock.midnight + interval '1 day'), timezone(clock.time_zone, (clock.midnight + interval '1 day') - interval '1 hour') + interval '1 hour') AS ends
FROM (SELECT accounts.time_zone AS time_zone, date_trunc('day', timezone(accounts.time_zone, now())) AS midnight
FROM accounts
WHERE accounts.id = $2::BIGINT) AS clock),
todays_3 AS MATERIALIZED
(SELECT conversation_bookings.conversation_id AS id, min(met.place) AS place
FROM conversation_bookings JOIN (SELECT bookings.id AS id, 0 AS place
FROM bookings JOIN today ON true
WHERE bookings.account_id = $2::BIGINT AND bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days' UNION ALL SELECT bookings.id AS id, 1 AS place
FROM bookings JOIN today ON true
WHERE bookings.account_id = $2::BIGINT AND bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days' UNION ALL SELECT bookings.id AS id, 2 AS place
FROM bookings JOIN today ON true
WHERE bookings.account_id = $2::BIGINT AND bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) AS met ON met.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $2::BIGINT GROUP BY conversation_bookings.conversation_id)
SELECT parent.position, row.id, row.unread_count, date_part('epoch', row.waiting_since) AS waiting_since_seconds, row.stage
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id, conversations.unread_count AS unread_count, conversations.waiting_since AS waiting_since, CASE WHEN (conversations.stays_until IS NOT NULL AND conversations.stays_until < (SELECT today.begins
FROM today)) THEN 'POST_STAY' WHEN (conversations.stays_until IS NULL AND (conversations.booking_statuses NOT IN (16, 24))) THEN 'INQUIRY' WHEN (conversations.stays_until IS NULL AND conversations.booking_statuses IN (16, 24)) THEN 'CANCELED' ELSE (SELECT CASE WHEN bool_or(bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 'CHECK_IN_TODAY' WHEN bool_or(bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 'CHECK_OUT_TODAY' WHEN bool_or(bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 'AT_PROPERTY' ELSE 'RESERVED' END AS anon_1
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN today ON true
WHERE conversation_bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = conversations.id) END AS stage
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND (conversations.stays_until IS NOT NULL AND conversations.stays_until >= (SELECT today.begins
FROM today) AND conversations.stays_until > now() - interval '2 days' AND (conversations.id NOT IN (SELECT todays_3.id
FROM todays_3
WHERE todays_3.place IN (0, 1))) OR conversations.stays_until IS NOT NULL AND conversations.stays_until < (SELECT today.begins
FROM today) OR conversations.stays_until IS NULL AND (conversations.booking_statuses NOT IN (16, 24))) AND (conversations.stays_until IS NOT NULL AND conversations.stays_until >= (SELECT today.begins
FROM today) AND conversations.stays_until > now() - interval '2 days' AND (conversations.id NOT IN (SELECT todays_3.id
FROM todays_3
WHERE todays_3.place IN (0, 1))) OR conversations.stays_until IS NOT NULL AND conversations.stays_until < (SELECT today.begins
FROM today) OR conversations.stays_until IS NULL AND (conversations.booking_statuses NOT IN (16, 24))) IS true AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $3) AS row ON true;

SELECT parent.position, row.id, row.sender_id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, row.visibility, date_part('epoch', row.sent_at) AS sent_at_seconds, sender_id.id AS "sender_id.id", sender_id.member_type AS "sender_id.member_type", sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.sender_id AS sender_id, messages.content AS content, messages.visibility AS visibility, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 2) AS row ON true LEFT OUTER JOIN LATERAL (SELECT participants.id AS id, participants.member_type AS member_type
FROM participants
WHERE participants.account_id = $3::BIGINT AND participants.id = row.sender_id
LIMIT 1) AS sender_id ON true;
