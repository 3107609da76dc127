SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.account_id = any($2::BIGINT[]) GROUP BY conversations.account_id;

SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, row.closed_at, row.deadline_response_at, row.last_message_at, row.marked_as_spam_at, row.read_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key ORDER BY coalesce(conversations.last_message_at, '-infinity'::timestamptz) DESC, conversations.id DESC
LIMIT $3) AS row ON true;

SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.conversation_id, row.sender_id, row.content, row.channel, row.origin, row.visibility, row.sent_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.created_by_type AS created_by_type, messages.created_by_id AS created_by_id, messages.created_by_user_id AS created_by_user_id, messages.created_by_application_id AS created_by_application_id, messages.created_at AS created_at, messages.updated_at AS updated_at, messages.account_id AS account_id, messages.id AS id, messages.conversation_id AS conversation_id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.origin AS origin, messages.visibility AS visibility, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.visibility = $3 AND messages.conversation_id = parent.key ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT $4) AS row ON true;

SELECT participants.created_at, participants.updated_at, participants.account_id, participants.id, participants.conversation_id, participants.member_type, participants.member_id, participants.client_id, participants.host_id, participants.read_at, participants.last_message_sent_at
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.id = any($2::BIGINT[]);

SELECT hosts.created_at, hosts.updated_at, hosts.account_id, hosts.id, hosts.firstname, hosts.lastname, hosts.email, hosts.user_id, hosts.source_id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);
