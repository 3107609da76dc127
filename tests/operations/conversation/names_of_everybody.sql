WITH today AS MATERIALIZED
(SELECT least(timezone(clock.time_zone, clock.midnight), timezone(clock.time_zone, clock.midnight - interval '1 hour') + interval '1 hour') AS begins, least(timezone(clock.time_zone, clock.midnight + interval '1 day'), timezone(clock.time_zone, (clock.midnight + interval '1 day') - interval '1 hour') + interval '1 hour') AS ends
FROM (SELECT accounts.time_zone AS time_zone, date_trunc('day', timezone(accounts.time_zone, now())) AS midnight
FROM accounts
WHERE accounts.id = $1::BIGINT) AS clock)
SELECT conversations.created_by_user_id, conversations.created_by_application_id, conversations.id, conversations.assignee_id, coalesce((SELECT participants.client_id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.conversation_id = conversations.id AND participants.client_id IS NOT NULL ORDER BY participants.last_message_sent_at DESC NULLS LAST, participants.id
LIMIT 1), (SELECT bookings.client_id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN today ON true
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = conversations.id AND CASE WHEN (bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 0 WHEN (bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 1 WHEN (bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 2 WHEN (bookings.status = 'BOOKED' AND greatest(bookings.start_at, bookings.end_at) >= today.begins) THEN 3 WHEN (bookings.status = 'BOOKED') THEN 4 WHEN (bookings.status IN ('TENTATIVE', 'UNAVAILABLE')) THEN 5 WHEN (bookings.status = 'CANCELED') THEN 6 END IS NOT NULL ORDER BY CASE WHEN (bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 0 WHEN (bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 1 WHEN (bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 2 WHEN (bookings.status = 'BOOKED' AND greatest(bookings.start_at, bookings.end_at) >= today.begins) THEN 3 WHEN (bookings.status = 'BOOKED') THEN 4 WHEN (bookings.status IN ('TENTATIVE', 'UNAVAILABLE')) THEN 5 WHEN (bookings.status = 'CANCELED') THEN 6 END, greatest(bookings.start_at, bookings.end_at) < today.begins, CASE WHEN (greatest(bookings.start_at, bookings.end_at) < today.begins) THEN 'infinity'::timestamptz ELSE bookings.start_at END, greatest(bookings.start_at, bookings.end_at) DESC, bookings.id
LIMIT 1)) AS guest_id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT applications.id, applications.name
FROM applications
WHERE applications.id = any(ARRAY[$1::BIGINT]);

SELECT clients.id, clients.fullname, clients.email, clients.phone
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any(ARRAY[$2::BIGINT]);

SELECT hosts.id, hosts.firstname, hosts.lastname, hosts.email, hosts.user_id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any(ARRAY[$2::BIGINT]);

SELECT users.id, users.name, users.email
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, row.id, row.client_id, row.host_id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT participants.id AS id, participants.client_id AS client_id, participants.host_id AS host_id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key ORDER BY participants.id ASC
LIMIT 21) AS row ON true;

SELECT hosts.id, hosts.firstname, hosts.lastname, hosts.email
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any(ARRAY[$2::BIGINT]);
