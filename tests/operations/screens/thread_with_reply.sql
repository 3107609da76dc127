SELECT parent.position, row.id, row.member_type
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT participants.id AS id, participants.member_type AS member_type
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.host_id = (SELECT min(hosts.id) AS min_1
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.user_id = $3::BIGINT) AND participants.conversation_id = parent.key ORDER BY participants.id ASC
LIMIT $4) AS row ON true;

WITH today AS MATERIALIZED
(SELECT least(timezone(clock.time_zone, clock.midnight), timezone(clock.time_zone, clock.midnight - interval '1 hour') + interval '1 hour') AS begins, least(timezone(clock.time_zone, clock.midnight + interval '1 day'), timezone(clock.time_zone, (clock.midnight + interval '1 day') - interval '1 hour') + interval '1 hour') AS ends
FROM (SELECT accounts.time_zone AS time_zone, date_trunc('day', timezone(accounts.time_zone, now())) AS midnight
FROM accounts
WHERE accounts.id = $1::BIGINT) AS clock)
SELECT date_part('epoch', row.updated_at) AS updated_at_seconds, row.id, row.subject, row.assignee_id, row.default_channel, date_part('epoch', row.closed_at) AS closed_at_seconds, date_part('epoch', row.deadline_response_at) AS deadline_response_at_seconds, date_part('epoch', row.marked_as_spam_at) AS marked_as_spam_at_seconds, row.unread_count, date_part('epoch', row.waiting_since) AS waiting_since_seconds, row.stage, assignee_id.id AS "assignee_id.id", assignee_id.firstname AS "assignee_id.firstname", assignee_id.lastname AS "assignee_id.lastname"
FROM (SELECT conversations.updated_at AS updated_at, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.unread_count AS unread_count, conversations.waiting_since AS waiting_since, CASE WHEN (conversations.stays_until IS NOT NULL AND conversations.stays_until < (SELECT today.begins
FROM today)) THEN 'POST_STAY' WHEN (conversations.stays_until IS NULL AND (conversations.booking_statuses NOT IN (16, 24))) THEN 'INQUIRY' WHEN (conversations.stays_until IS NULL AND conversations.booking_statuses IN (16, 24)) THEN 'CANCELED' ELSE (SELECT CASE WHEN bool_or(bookings.status = 'BOOKED' AND bookings.start_at >= today.begins AND bookings.start_at < today.ends AND bookings.start_at > now() - interval '2 days' AND bookings.start_at < now() + interval '2 days') THEN 'CHECK_IN_TODAY' WHEN bool_or(bookings.status = 'BOOKED' AND bookings.end_at >= today.begins AND bookings.end_at < today.ends AND bookings.end_at > now() - interval '2 days' AND bookings.end_at < now() + interval '2 days') THEN 'CHECK_OUT_TODAY' WHEN bool_or(bookings.status = 'BOOKED' AND bookings.start_at < today.begins AND bookings.end_at >= today.ends AND bookings.end_at > now()) THEN 'AT_PROPERTY' ELSE 'RESERVED' END AS anon_1
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id JOIN today ON true
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = conversations.id) END AS stage
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname, hosts.lastname AS lastname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.assignee_id
LIMIT 1) AS assignee_id ON true;

SELECT parent.position, row.id, row.reference, row.status, date_part('epoch', row.start_at) AS start_at_seconds, date_part('epoch', row.end_at) AS end_at_seconds
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id, bookings.reference AS reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT 6) AS row ON true;

SELECT parent.position, row.id, row.sender_id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, row.channel, row.visibility, row.sent_at, date_part('epoch', row.sent_at) AS sent_at_seconds, row.automatic, sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest(ARRAY[$2::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.visibility AS visibility, messages.sent_at AS sent_at, messages.automatic AS automatic
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 26) AS row ON true;

SELECT row.id, row.client_id, row.host_id, client_id.id AS "client_id.id", client_id.fullname AS "client_id.fullname", host_id.id AS "host_id.id", host_id.firstname AS "host_id.firstname", host_id.lastname AS "host_id.lastname"
FROM (SELECT participants.id AS id, participants.client_id AS client_id, participants.host_id AS host_id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any($2::BIGINT[])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT clients.id AS id, clients.fullname AS fullname
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = row.client_id
LIMIT 1) AS client_id ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname, hosts.lastname AS lastname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.host_id
LIMIT 1) AS host_id ON true;

SELECT parent.position, row.created_by_type, row.created_by_user_id, row.created_by_application_id, row.id, row.type, date_part('epoch', row.created_at) AS created_at_seconds, row.assignee_id, assignee_id.id AS "assignee_id.id", assignee_id.firstname AS "assignee_id.firstname", assignee_id.lastname AS "assignee_id.lastname", created_by_application_id.id AS "created_by_application_id.id", created_by_application_id.name AS "created_by_application_id.name", created_by_user_id.id AS "created_by_user_id.id", created_by_user_id.name AS "created_by_user_id.name"
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT activities.created_by_type AS created_by_type, activities.created_by_user_id AS created_by_user_id, activities.created_by_application_id AS created_by_application_id, activities.id AS id, activities.type AS type, activities.created_at AS created_at, activities.assignee_id AS assignee_id
FROM activities
WHERE activities.account_id = $2::BIGINT AND activities.conversation_id = parent.key ORDER BY activities.id DESC
LIMIT 26) AS row ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname, hosts.lastname AS lastname
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.id = row.assignee_id
LIMIT 1) AS assignee_id ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id, applications.name AS name
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $2::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true;
