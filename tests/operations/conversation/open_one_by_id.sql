SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, date_part('epoch', conversations.created_at) AS created_at_seconds, date_part('epoch', conversations.updated_at) AS updated_at_seconds, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, date_part('epoch', conversations.closed_at) AS closed_at_seconds, date_part('epoch', conversations.deadline_response_at) AS deadline_response_at_seconds, date_part('epoch', conversations.last_message_at) AS last_message_at_seconds, date_part('epoch', conversations.marked_as_spam_at) AS marked_as_spam_at_seconds, date_part('epoch', conversations.read_at) AS read_at_seconds, conversations.read
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT accounts.id, accounts.business_name
FROM accounts
WHERE accounts.id = $1::BIGINT AND accounts.id = any(ARRAY[$2::BIGINT]);

SELECT hosts.id, hosts.firstname, hosts.lastname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any(ARRAY[$2::BIGINT]);

SELECT sources.id, sources.name
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = any(ARRAY[$2::BIGINT]);

SELECT applications.id, applications.name
FROM applications
WHERE applications.id = any(ARRAY[$1::BIGINT]);
