WITH today AS MATERIALIZED
(SELECT least(timezone(clock.time_zone, clock.midnight), timezone(clock.time_zone, clock.midnight - interval '1 hour') + interval '1 hour') AS begins, least(timezone(clock.time_zone, clock.midnight + interval '1 day'), timezone(clock.time_zone, (clock.midnight + interval '1 day') - interval '1 hour') + interval '1 hour') AS ends
FROM (SELECT accounts.time_zone AS time_zone, date_trunc('day', timezone(accounts.time_zone, now())) AS midnight
FROM accounts
WHERE accounts.id = $1::BIGINT) AS clock),
todays_3 AS MATERIALIZED
(SELECT conversation_bookings.conversation_id AS id, min(met.place) AS place
FROM conversation_bookings JOIN (SELECT bookings.id AS id, 0 AS place
FROM bookings JOIN today ON true
WHERE bookings.account_id = $1::BIGINT AND bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days' UNION ALL SELECT bookings.id AS id, 1 AS place
FROM bookings JOIN today ON true
WHERE bookings.account_id = $1::BIGINT AND bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days' UNION ALL SELECT bookings.id AS id, 2 AS place
FROM bookings JOIN today ON true
WHERE bookings.account_id = $1::BIGINT AND bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) AS met ON met.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $1::BIGINT GROUP BY conversation_bookings.conversation_id)
SELECT count(*) FILTER (WHERE conversations.stays_until IS NOT NULL AND conversations.stays_until >= (SELECT today.begins
FROM today) AND conversations.id IN (SELECT found.id
FROM unnest(array((SELECT todays_3.id
FROM todays_3
WHERE todays_3.place IN (2)))) AS found(id))) AS at_property, count(*) FILTER (WHERE conversations.stays_until IS NULL AND conversations.booking_statuses IN (16, 24)) AS canceled, count(*) FILTER (WHERE conversations.stays_until IS NOT NULL AND conversations.stays_until >= (SELECT today.begins
FROM today) AND conversations.id IN (SELECT found.id
FROM unnest(array((SELECT todays_3.id
FROM todays_3
WHERE todays_3.place IN (0)))) AS found(id))) AS check_in_today, count(*) FILTER (WHERE conversations.stays_until IS NOT NULL AND conversations.stays_until >= (SELECT today.begins
FROM today) AND conversations.id IN (SELECT found.id
FROM unnest(array((SELECT todays_3.id
FROM todays_3
WHERE todays_3.place IN (1)))) AS found(id))) AS check_out_today, count(*) FILTER (WHERE conversations.closed_at IS NOT NULL) AS closed, count(*) FILTER (WHERE conversations.stays_until IS NULL AND (conversations.booking_statuses NOT IN (16, 24))) AS inquiry, count(*) FILTER (WHERE conversations.assignee_id IS NOT NULL AND conversations.assignee_id IN (SELECT hosts.id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.user_id = $2::BIGINT)) AS mine, count(*) FILTER (WHERE conversations.waiting_since IS NOT NULL) AS needs_reply, count(*) FILTER (WHERE conversations.closed_at IS NULL AND conversations.marked_as_spam_at IS NULL) AS open, count(*) FILTER (WHERE conversations.waiting_since IS NOT NULL AND CASE WHEN (conversations.deadline_response_at IS NULL) THEN 'infinity'::timestamptz ELSE conversations.deadline_response_at END < now()) AS overdue, count(*) FILTER (WHERE conversations.stays_until IS NOT NULL AND conversations.stays_until < (SELECT today.begins
FROM today)) AS post_stay, count(*) FILTER (WHERE conversations.stays_until IS NOT NULL AND conversations.stays_until >= (SELECT today.begins
FROM today) AND conversations.stays_until > now() - interval '2 days') AS reserved, count(*) FILTER (WHERE conversations.marked_as_spam_at IS NOT NULL) AS spam, count(*) FILTER (WHERE conversations.assignee_id IS NULL) AS unassigned, count(*) FILTER (WHERE conversations.undelivered_count > 0) AS undelivered, count(*) FILTER (WHERE NOT conversations.read) AS unread
FROM conversations
WHERE conversations.account_id = $1::BIGINT;

WITH today AS MATERIALIZED
(SELECT least(timezone(clock.time_zone, clock.midnight), timezone(clock.time_zone, clock.midnight - interval '1 hour') + interval '1 hour') AS begins, least(timezone(clock.time_zone, clock.midnight + interval '1 day'), timezone(clock.time_zone, (clock.midnight + interval '1 day') - interval '1 hour') + interval '1 hour') AS ends
FROM (SELECT accounts.time_zone AS time_zone, date_trunc('day', timezone(accounts.time_zone, now())) AS midnight
FROM accounts
WHERE accounts.id = $1::BIGINT) AS clock),
todays_3 AS MATERIALIZED
(SELECT conversation_bookings.conversation_id AS id, min(met.place) AS place
FROM conversation_bookings JOIN (SELECT bookings.id AS id, 0 AS place
FROM bookings JOIN today ON true
WHERE bookings.account_id = $1::BIGINT AND bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days' UNION ALL SELECT bookings.id AS id, 1 AS place
FROM bookings JOIN today ON true
WHERE bookings.account_id = $1::BIGINT AND bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days' UNION ALL SELECT bookings.id AS id, 2 AS place
FROM bookings JOIN today ON true
WHERE bookings.account_id = $1::BIGINT AND bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) AS met ON met.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $1::BIGINT GROUP BY conversation_bookings.conversation_id)
SELECT count(*) FILTER (WHERE conversations.stays_until IS NOT NULL AND conversations.stays_until >= (SELECT today.begins
FROM today) AND conversations.id IN (SELECT found.id
FROM unnest(array((SELECT todays_3.id
FROM todays_3
WHERE todays_3.place IN (2)))) AS found(id))) AS at_property, count(*) FILTER (WHERE conversations.stays_until IS NOT NULL AND conversations.stays_until >= (SELECT today.begins
FROM today) AND conversations.id IN (SELECT found.id
FROM unnest(array((SELECT todays_3.id
FROM todays_3
WHERE todays_3.place IN (0)))) AS found(id))) AS check_in_today, count(*) FILTER (WHERE NOT conversations.read) AS unread
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.closed_at IS NULL AND conversations.marked_as_spam_at IS NULL;
