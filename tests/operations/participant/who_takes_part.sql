SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, row.closed_at, row.deadline_response_at, row.last_message_at, row.marked_as_spam_at, row.read_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key ORDER BY conversations.created_at ASC, conversations.id ASC
LIMIT $3) AS row ON true;

SELECT parent.position, row.created_at, row.updated_at, row.account_id, row.id, row.conversation_id, row.member_type, row.member_id, row.client_id, row.host_id, row.read_at, row.last_message_sent_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT participants.created_at AS created_at, participants.updated_at AS updated_at, participants.account_id AS account_id, participants.id AS id, participants.conversation_id AS conversation_id, participants.member_type AS member_type, participants.member_id AS member_id, participants.client_id AS client_id, participants.host_id AS host_id, participants.read_at AS read_at, participants.last_message_sent_at AS last_message_sent_at
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key ORDER BY participants.id ASC
LIMIT $3) AS row ON true;

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT clients.created_at, clients.updated_at, clients.account_id, clients.id, clients.fullname, clients.email, clients.phone, clients.preferred_locale
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any($2::BIGINT[]);

SELECT hosts.created_at, hosts.updated_at, hosts.account_id, hosts.id, hosts.firstname, hosts.lastname, hosts.email, hosts.user_id, hosts.source_id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);
