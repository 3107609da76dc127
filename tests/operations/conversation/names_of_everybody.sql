WITH today AS MATERIALIZED
(SELECT least(timezone(clock.time_zone, clock.midnight), timezone(clock.time_zone, clock.midnight - interval '1 hour') + interval '1 hour') AS begins, least(timezone(clock.time_zone, clock.midnight + interval '1 day'), timezone(clock.time_zone, (clock.midnight + interval '1 day') - interval '1 hour') + interval '1 hour') AS ends
FROM (SELECT accounts.time_zone AS time_zone, date_trunc('day', timezone(accounts.time_zone, now())) AS midnight
FROM accounts
WHERE accounts.id = $1::BIGINT) AS clock)
SELECT row.created_by_user_id, row.created_by_application_id, row.id, row.assignee_id, row.guest_id, created_by_application_id.id AS "created_by_application_id.id", created_by_application_id.name AS "created_by_application_id.name", created_by_user_id.id AS "created_by_user_id.id", guest_id.id AS "guest_id.id", guest_id.fullname AS "guest_id.fullname", guest_id.email AS "guest_id.email", guest_id.phone AS "guest_id.phone"
FROM (SELECT conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.id AS id, conversations.assignee_id AS assignee_id, coalesce((SELECT participants.client_id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.conversation_id = conversations.id AND participants.client_id IS NOT NULL ORDER BY participants.last_message_sent_at DESC NULLS LAST, participants.id
LIMIT 1), (SELECT bookings.client_id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN today ON true
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = conversations.id AND CASE WHEN (bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 0 WHEN (bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 1 WHEN (bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 2 WHEN (bookings.status = 'BOOKED' AND greatest(bookings.start_at, bookings.end_at) >= today.begins) THEN 3 WHEN (bookings.status = 'BOOKED') THEN 4 WHEN (bookings.status IN ('TENTATIVE', 'UNAVAILABLE')) THEN 5 WHEN (bookings.status = 'CANCELED') THEN 6 END IS NOT NULL ORDER BY CASE WHEN (bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 0 WHEN (bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 1 WHEN (bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 2 WHEN (bookings.status = 'BOOKED' AND greatest(bookings.start_at, bookings.end_at) >= today.begins) THEN 3 WHEN (bookings.status = 'BOOKED') THEN 4 WHEN (bookings.status IN ('TENTATIVE', 'UNAVAILABLE')) THEN 5 WHEN (bookings.status = 'CANCELED') THEN 6 END, greatest(bookings.start_at, bookings.end_at) < today.begins, CASE WHEN (greatest(bookings.start_at, bookings.end_at) < today.begins) THEN 'infinity'::timestamptz ELSE bookings.start_at END, greatest(bookings.start_at, bookings.end_at) DESC, bookings.id
LIMIT 1)) AS guest_id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT applications.id AS id, applications.name AS name
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true LEFT OUTER JOIN LATERAL (SELECT clients.id AS id, clients.fullname AS fullname, clients.email AS email, clients.phone AS phone
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = row.guest_id
LIMIT 1) AS guest_id ON true;

SELECT row.id, row.firstname, row.lastname, row.email, row.user_id, user_id.id AS "user_id.id", user_id.name AS "user_id.name", user_id.email AS "user_id.email"
FROM (SELECT hosts.id AS id, hosts.firstname AS firstname, hosts.lastname AS lastname, hosts.email AS email, hosts.user_id AS user_id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name, users.email AS email
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = row.user_id
LIMIT 1) AS user_id ON true;

SELECT parent.position, row.id, row.client_id, row.host_id, client_id.id AS "client_id.id", client_id.fullname AS "client_id.fullname", client_id.email AS "client_id.email", client_id.phone AS "client_id.phone", host_id.id AS "host_id.id", host_id.firstname AS "host_id.firstname", host_id.lastname AS "host_id.lastname", host_id.email AS "host_id.email"
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT participants.id AS id, participants.client_id AS client_id, participants.host_id AS host_id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key ORDER BY participants.id ASC
LIMIT 21) AS row ON true LEFT OUTER JOIN LATERAL (SELECT clients.id AS id, clients.fullname AS fullname, clients.email AS email, clients.phone AS phone
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.id = row.client_id
LIMIT 1) AS client_id ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname, hosts.lastname AS lastname, hosts.email AS email
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.id = row.host_id
LIMIT 1) AS host_id ON true;
