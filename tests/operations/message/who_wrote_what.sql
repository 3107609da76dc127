SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id, row.conversation_id, row.sender_id, CASE WHEN (sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN row.content END AS content, row.channel, row.origin, row.visibility, date_part('epoch', row.sent_at) AS sent_at_seconds, row.delivery_state, row.delivery_at, row.delivery_error, row.delivery_attempts, row.relayed_id, conversation_id.id AS "conversation_id.id", created_by_application_id.id AS "created_by_application_id.id", created_by_application_id.name AS "created_by_application_id.name", created_by_user_id.id AS "created_by_user_id.id", created_by_user_id.name AS "created_by_user_id.name", sum(coalesce(octet_length(row.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM unnest(ARRAY[$2::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.created_by_type AS created_by_type, messages.created_by_id AS created_by_id, messages.created_by_user_id AS created_by_user_id, messages.created_by_application_id AS created_by_application_id, messages.created_at AS created_at, messages.updated_at AS updated_at, messages.id AS id, messages.conversation_id AS conversation_id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.origin AS origin, messages.visibility AS visibility, messages.sent_at AS sent_at, messages.delivery_state AS delivery_state, messages.delivery_at AS delivery_at, messages.delivery_error AS delivery_error, messages.delivery_attempts AS delivery_attempts, messages.relayed_id AS relayed_id
FROM messages
WHERE messages.account_id = $3::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT 21) AS row ON true LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $3::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id, applications.name AS name
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $3::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true;

SELECT row.id, row.client_id, row.host_id, client_id.id AS "client_id.id", client_id.fullname AS "client_id.fullname", host_id.id AS "host_id.id", host_id.firstname AS "host_id.firstname"
FROM (SELECT participants.id AS id, participants.client_id AS client_id, participants.host_id AS host_id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any($2::BIGINT[])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT clients.id AS id, clients.fullname AS fullname
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = row.client_id
LIMIT 1) AS client_id ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.host_id
LIMIT 1) AS host_id ON true;
