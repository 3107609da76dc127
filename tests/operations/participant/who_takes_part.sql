SELECT parent.position, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key ORDER BY conversations.created_at ASC, conversations.id ASC
LIMIT 21) AS row ON true;

SELECT parent.position, date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id, row.conversation_id, row.member_type, row.member_id, row.client_id, row.host_id, date_part('epoch', row.read_at) AS read_at_seconds, date_part('epoch', row.last_message_sent_at) AS last_message_sent_at_seconds
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT participants.created_at AS created_at, participants.updated_at AS updated_at, participants.id AS id, participants.conversation_id AS conversation_id, participants.member_type AS member_type, participants.member_id AS member_id, participants.client_id AS client_id, participants.host_id AS host_id, participants.read_at AS read_at, participants.last_message_sent_at AS last_message_sent_at
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key ORDER BY participants.id ASC
LIMIT 21) AS row ON true;

SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT clients.id, clients.fullname, clients.email, clients.phone, clients.preferred_locale
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any(ARRAY[$2::BIGINT]);

SELECT hosts.id, hosts.lastname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any(ARRAY[$2::BIGINT]);

SELECT participants.conversation_id AS parent, count(*) AS total
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.member_type = $2 AND participants.conversation_id = any($3::BIGINT[]) GROUP BY participants.conversation_id;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT participants.id AS id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.member_type = $3 AND participants.conversation_id = parent.key ORDER BY participants.id ASC
LIMIT $4) AS row ON true;
