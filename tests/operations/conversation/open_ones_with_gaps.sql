SELECT row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, date_part('epoch', row.closed_at) AS closed_at_seconds, date_part('epoch', row.deadline_response_at) AS deadline_response_at_seconds, date_part('epoch', row.last_message_at) AS last_message_at_seconds, date_part('epoch', row.marked_as_spam_at) AS marked_as_spam_at_seconds, date_part('epoch', row.read_at) AS read_at_seconds, row.read, account_id.id AS "account_id.id", account_id.business_name AS "account_id.business_name", assignee_id.id AS "assignee_id.id", assignee_id.firstname AS "assignee_id.firstname", assignee_id.lastname AS "assignee_id.lastname", created_by_application_id.id AS "created_by_application_id.id", created_by_application_id.name AS "created_by_application_id.name", created_by_user_id.id AS "created_by_user_id.id", created_by_user_id.name AS "created_by_user_id.name", source_id.id AS "source_id.id", source_id.name AS "source_id.name"
FROM (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at, conversations.read AS read
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT accounts.id AS id, accounts.business_name AS business_name
FROM accounts
WHERE accounts.id = $1::BIGINT AND accounts.id = row.account_id
LIMIT 1) AS account_id ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname, hosts.lastname AS lastname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.assignee_id
LIMIT 1) AS assignee_id ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id, applications.name AS name
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true LEFT OUTER JOIN LATERAL (SELECT sources.id AS id, sources.name AS name
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = row.source_id
LIMIT 1) AS source_id ON true;

SELECT row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, date_part('epoch', row.closed_at) AS closed_at_seconds, date_part('epoch', row.deadline_response_at) AS deadline_response_at_seconds, date_part('epoch', row.last_message_at) AS last_message_at_seconds, date_part('epoch', row.marked_as_spam_at) AS marked_as_spam_at_seconds, date_part('epoch', row.read_at) AS read_at_seconds, row.read, account_id.id AS "account_id.id", account_id.business_name AS "account_id.business_name", assignee_id.id AS "assignee_id.id", assignee_id.firstname AS "assignee_id.firstname", assignee_id.lastname AS "assignee_id.lastname", created_by_application_id.id AS "created_by_application_id.id", created_by_application_id.name AS "created_by_application_id.name", created_by_user_id.id AS "created_by_user_id.id", created_by_user_id.name AS "created_by_user_id.name", source_id.id AS "source_id.id", source_id.name AS "source_id.name"
FROM (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at, conversations.read AS read
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT])
LIMIT ALL OFFSET 0) AS row LEFT OUTER JOIN LATERAL (SELECT accounts.id AS id, accounts.business_name AS business_name
FROM accounts
WHERE accounts.id = $1::BIGINT AND accounts.id = row.account_id
LIMIT 1) AS account_id ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname, hosts.lastname AS lastname
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = row.assignee_id
LIMIT 1) AS assignee_id ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id, applications.name AS name
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true LEFT OUTER JOIN LATERAL (SELECT sources.id AS id, sources.name AS name
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = row.source_id
LIMIT 1) AS source_id ON true;
