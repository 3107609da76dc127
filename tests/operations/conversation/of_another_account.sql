SELECT conversations.created_by_type, conversations.created_by_id, conversations.created_by_user_id, conversations.created_by_application_id, conversations.created_at, conversations.updated_at, conversations.account_id, conversations.id, conversations.subject, conversations.assignee_id, conversations.source_id, conversations.default_channel, conversations.closed_at, conversations.deadline_response_at, conversations.last_message_at, conversations.marked_as_spam_at, conversations.read_at
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]);

SELECT hosts.created_at, hosts.updated_at, hosts.account_id, hosts.id, hosts.firstname, hosts.lastname, hosts.email, hosts.user_id, hosts.source_id
FROM hosts
WHERE hosts.account_id = $1::BIGINT AND hosts.id = any($2::BIGINT[]);

SELECT parent.position, row.created_at, row.updated_at, row.account_id, row.id, row.reference, row.external_reference, row.status, row.start_at, row.end_at, row.adults, row.children, row.currency, row.final_price, row.notes, row.client_id, row.rental_id, row.source_id, row.canceled_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT bookings.created_at AS created_at, bookings.updated_at AS updated_at, bookings.account_id AS account_id, bookings.id AS id, bookings.reference AS reference, bookings.external_reference AS external_reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.adults AS adults, bookings.children AS children, bookings.currency AS currency, bookings.final_price AS final_price, bookings.notes AS notes, bookings.client_id AS client_id, bookings.rental_id AS rental_id, bookings.source_id AS source_id, bookings.canceled_at AS canceled_at
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key ORDER BY conversation_bookings.booking_id ASC
LIMIT $3) AS row ON true;

SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.conversation_id, row.sender_id, row.content, row.channel, row.origin, row.visibility, row.sent_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.created_by_type AS created_by_type, messages.created_by_id AS created_by_id, messages.created_by_user_id AS created_by_user_id, messages.created_by_application_id AS created_by_application_id, messages.created_at AS created_at, messages.updated_at AS updated_at, messages.account_id AS account_id, messages.id AS id, messages.conversation_id AS conversation_id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.origin AS origin, messages.visibility AS visibility, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT $3) AS row ON true;
