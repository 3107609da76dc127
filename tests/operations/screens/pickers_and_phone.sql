SELECT epochs.value AS epoch, coalesce(c.number, 0) AS number, coalesce(c.removed, 0) AS removed
FROM epochs LEFT JOIN change_counters c ON c.account_id = $1;

SELECT parent.position, row.id, row.name, row.city
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT rentals.id AS id, rentals.name AS name, rentals.city AS city
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND rentals.id = any(array((SELECT found.id
FROM (SELECT rentals.id AS id
FROM rentals
WHERE rentals.account_id = $2::BIGINT AND (search_texts(rentals.account_id, ARRAY[rentals.name, rentals.city]) @@ search_query($2::BIGINT, $3::VARCHAR)) ORDER BY rentals.id ASC
LIMIT ALL OFFSET 0) AS found ORDER BY found.id ASC
LIMIT $4))) AND rentals.account_id = parent.key ORDER BY rentals.id ASC
LIMIT $4) AS row ON true;

SELECT parent.position, row.id, row.fullname, row.email, row.phone
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT clients.id AS id, clients.fullname AS fullname, clients.email AS email, clients.phone AS phone
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.id = any(array((SELECT found.id
FROM (SELECT clients.id AS id
FROM clients
WHERE clients.account_id = $2::BIGINT AND (search_texts(clients.account_id, ARRAY[clients.fullname, search_contact(clients.email, clients.phone)]) @@ search_query($2::BIGINT, $3::VARCHAR)) ORDER BY clients.id ASC
LIMIT ALL OFFSET 0) AS found ORDER BY found.id ASC
LIMIT $4))) AND clients.account_id = parent.key ORDER BY clients.id ASC
LIMIT $4) AS row ON true;

WITH found AS MATERIALIZED
(SELECT bookings.id AS id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND (search_texts(bookings.account_id, ARRAY[bookings.reference, bookings.external_reference, search_ends(bookings.reference, 3, 12), search_ends(bookings.external_reference, 3, 12)]) @@ search_query($2::BIGINT, $3::VARCHAR)) UNION ALL SELECT bookings.id AS id
FROM clients JOIN bookings ON bookings.account_id = clients.account_id AND bookings.client_id = clients.id
WHERE clients.account_id = $2::BIGINT AND (search_texts(clients.account_id, ARRAY[clients.fullname, search_contact(clients.email, clients.phone)]) @@ search_query($2::BIGINT, $3::VARCHAR)))
SELECT parent.position, row.id, row.reference, row.status, date_part('epoch', row.start_at) AS start_at_seconds, date_part('epoch', row.end_at) AS end_at_seconds, row.client_id, client_id.id AS "client_id.id", client_id.fullname AS "client_id.fullname"
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.id AS id, bookings.reference AS reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.client_id AS client_id
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = any(array((SELECT found.id
FROM found))) AND bookings.account_id = parent.key ORDER BY bookings.start_at DESC, bookings.id DESC
LIMIT $4) AS row ON true LEFT OUTER JOIN LATERAL (SELECT clients.id AS id, clients.fullname AS fullname
FROM clients
WHERE clients.account_id = $2::BIGINT AND clients.id = row.client_id
LIMIT 1) AS client_id ON true;

SELECT parent.position, row.id, row.firstname, row.lastname, CASE WHEN (sum(coalesce(octet_length(row.message), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.message END AS message, sum(coalesce(octet_length(row.message), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest(ARRAY[$2::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT inquiries.id AS id, inquiries.firstname AS firstname, inquiries.lastname AS lastname, inquiries.message AS message
FROM inquiries
WHERE inquiries.account_id = $3::BIGINT AND inquiries.account_id = parent.key ORDER BY inquiries.created_at DESC, inquiries.id DESC
LIMIT 26) AS row ON true;

SELECT parent.position, row.id, row.sender_id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, row.visibility, row.sent_at, date_part('epoch', row.sent_at) AS sent_at_seconds, sender_id.id AS "sender_id.id", sender_id.member_type AS "sender_id.member_type", sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest($2::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.id AS id, messages.sender_id AS sender_id, messages.content AS content, messages.visibility AS visibility, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.conversation_id = any($4::BIGINT[]) AND messages.account_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT $5) AS row ON true LEFT OUTER JOIN LATERAL (SELECT participants.id AS id, participants.member_type AS member_type
FROM participants
WHERE participants.account_id = $3::BIGINT AND participants.id = row.sender_id
LIMIT 1) AS sender_id ON true;
