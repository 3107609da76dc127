SELECT messages.created_by_type, messages.created_by_id, messages.created_by_user_id, messages.created_by_application_id, messages.created_at, messages.updated_at, messages.account_id, messages.id, messages.conversation_id, messages.sender_id, messages.content, messages.channel, messages.origin, messages.visibility, messages.sent_at
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.id = any($2::BIGINT[]);

SELECT accounts.created_at, accounts.updated_at, accounts.id, accounts.business_name, accounts.email, accounts.time_zone
FROM accounts
WHERE accounts.id = $1::BIGINT AND accounts.id = any($2::BIGINT[]);

SELECT applications.id, applications.name
FROM applications
WHERE applications.id = any($1::BIGINT[]);

SELECT users.account_id, users.id, users.name, users.email
FROM users
WHERE users.account_id = $1::BIGINT AND users.id = any($2::BIGINT[]);

SELECT sources.created_at, sources.updated_at, sources.account_id, sources.id, sources.name, sources.internal
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.id = any($2::BIGINT[]);

SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at, conversations.booking_statuses, conversations.stays_until, conversations.unanswered_since, conversations.unread_count, conversations.waiting_since
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT rentals.created_at, rentals.updated_at, rentals.account_id, rentals.id, rentals.name, rentals.city, rentals.country_code
FROM rentals
WHERE rentals.account_id = $1::BIGINT AND rentals.id = any($2::BIGINT[]);

SELECT clients.created_at, clients.updated_at, clients.account_id, clients.id, clients.fullname, clients.email, clients.phone, clients.preferred_locale
FROM clients
WHERE clients.account_id = $1::BIGINT AND clients.id = any($2::BIGINT[]);
