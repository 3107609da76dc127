SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, row.closed_at, row.deadline_response_at, row.last_message_at, row.marked_as_spam_at, row.read_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key ORDER BY conversations.created_at ASC, conversations.id ASC
LIMIT $3) AS row ON true;

SELECT messages.conversation_id AS parent, count(*) AS total
FROM messages
WHERE messages.account_id = $1::BIGINT AND messages.visibility = $2 AND messages.conversation_id = any($3::BIGINT[]) GROUP BY messages.conversation_id;

SELECT parent.position, ends.beyond_before, row.created_at, row.updated_at, row.account_id, row.id, row.firstname, row.lastname, row.email, row.phone, row.message, row.adults, row.children, row.start_at, row.end_at, row.conversation_id, row.booking_id, row.rental_id, row.source_id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT inquiries.id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.conversation_id = parent.key AND inquiries.id >= $3::BIGINT ORDER BY inquiries.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT inquiries.created_at AS created_at, inquiries.updated_at AS updated_at, inquiries.account_id AS account_id, inquiries.id AS id, inquiries.firstname AS firstname, inquiries.lastname AS lastname, inquiries.email AS email, inquiries.phone AS phone, inquiries.message AS message, inquiries.adults AS adults, inquiries.children AS children, inquiries.start_at AS start_at, inquiries.end_at AS end_at, inquiries.conversation_id AS conversation_id, inquiries.booking_id AS booking_id, inquiries.rental_id AS rental_id, inquiries.source_id AS source_id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.conversation_id = parent.key AND inquiries.id < $3::BIGINT ORDER BY inquiries.id ASC
LIMIT $4) AS row ON true;

SELECT parent.position, ends.beyond_after, row.created_at, row.updated_at, row.account_id, row.id, row.firstname, row.lastname, row.email, row.phone, row.message, row.adults, row.children, row.start_at, row.end_at, row.conversation_id, row.booking_id, row.rental_id, row.source_id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT inquiries.id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.conversation_id = parent.key AND inquiries.id <= $3::BIGINT ORDER BY inquiries.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT inquiries.created_at AS created_at, inquiries.updated_at AS updated_at, inquiries.account_id AS account_id, inquiries.id AS id, inquiries.firstname AS firstname, inquiries.lastname AS lastname, inquiries.email AS email, inquiries.phone AS phone, inquiries.message AS message, inquiries.adults AS adults, inquiries.children AS children, inquiries.start_at AS start_at, inquiries.end_at AS end_at, inquiries.conversation_id AS conversation_id, inquiries.booking_id AS booking_id, inquiries.rental_id AS rental_id, inquiries.source_id AS source_id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.conversation_id = parent.key AND inquiries.id > $3::BIGINT ORDER BY inquiries.id DESC
LIMIT $4) AS row ON true;

SELECT parent.position, ends.beyond_before, row.created_at, row.updated_at, row.account_id, row.id, row.conversation_id, row.member_type, row.member_id, row.client_id, row.host_id, row.read_at, row.last_message_sent_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT participants.id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key AND participants.id >= $3::BIGINT ORDER BY participants.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT participants.created_at AS created_at, participants.updated_at AS updated_at, participants.account_id AS account_id, participants.id AS id, participants.conversation_id AS conversation_id, participants.member_type AS member_type, participants.member_id AS member_id, participants.client_id AS client_id, participants.host_id AS host_id, participants.read_at AS read_at, participants.last_message_sent_at AS last_message_sent_at
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key AND participants.id < $3::BIGINT ORDER BY participants.id ASC
LIMIT $4) AS row ON true;

SELECT parent.position, ends.beyond_after, row.created_at, row.updated_at, row.account_id, row.id, row.conversation_id, row.member_type, row.member_id, row.client_id, row.host_id, row.read_at, row.last_message_sent_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT participants.id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key AND participants.id <= $3::BIGINT ORDER BY participants.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT participants.created_at AS created_at, participants.updated_at AS updated_at, participants.account_id AS account_id, participants.id AS id, participants.conversation_id AS conversation_id, participants.member_type AS member_type, participants.member_id AS member_id, participants.client_id AS client_id, participants.host_id AS host_id, participants.read_at AS read_at, participants.last_message_sent_at AS last_message_sent_at
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = parent.key AND participants.id > $3::BIGINT ORDER BY participants.id DESC
LIMIT $4) AS row ON true;

SELECT parent.position, ends.beyond_before, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.conversation_id, row.sender_id, row.content, row.channel, row.origin, row.visibility, row.sent_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT messages.id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key AND (messages.sent_at, messages.id) >= ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT messages.created_by_type AS created_by_type, messages.created_by_id AS created_by_id, messages.created_by_user_id AS created_by_user_id, messages.created_by_application_id AS created_by_application_id, messages.created_at AS created_at, messages.updated_at AS updated_at, messages.account_id AS account_id, messages.id AS id, messages.conversation_id AS conversation_id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.origin AS origin, messages.visibility AS visibility, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key AND (messages.sent_at, messages.id) < ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT $5) AS row ON true;

SELECT parent.position, ends.beyond_after, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.conversation_id, row.sender_id, row.content, row.channel, row.origin, row.visibility, row.sent_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT messages.id
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key AND (messages.sent_at, messages.id) <= ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT messages.created_by_type AS created_by_type, messages.created_by_id AS created_by_id, messages.created_by_user_id AS created_by_user_id, messages.created_by_application_id AS created_by_application_id, messages.created_at AS created_at, messages.updated_at AS updated_at, messages.account_id AS account_id, messages.id AS id, messages.conversation_id AS conversation_id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.origin AS origin, messages.visibility AS visibility, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.conversation_id = parent.key AND (messages.sent_at, messages.id) > ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY messages.sent_at DESC, messages.id DESC
LIMIT $5) AS row ON true;

SELECT parent.position, ends.beyond_before, row.created_at, row.updated_at, row.account_id, row.id, row.reference, row.external_reference, row.status, row.start_at, row.end_at, row.adults, row.children, row.currency, row.final_price, row.notes, row.client_id, row.rental_id, row.source_id, row.canceled_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversation_bookings.booking_id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key AND conversation_bookings.booking_id >= $3::BIGINT ORDER BY conversation_bookings.booking_id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT bookings.created_at AS created_at, bookings.updated_at AS updated_at, bookings.account_id AS account_id, bookings.id AS id, bookings.reference AS reference, bookings.external_reference AS external_reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.adults AS adults, bookings.children AS children, bookings.currency AS currency, bookings.final_price AS final_price, bookings.notes AS notes, bookings.client_id AS client_id, bookings.rental_id AS rental_id, bookings.source_id AS source_id, bookings.canceled_at AS canceled_at
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key AND conversation_bookings.booking_id < $3::BIGINT ORDER BY conversation_bookings.booking_id ASC
LIMIT $4) AS row ON true;

SELECT parent.position, ends.beyond_after, row.created_at, row.updated_at, row.account_id, row.id, row.reference, row.external_reference, row.status, row.start_at, row.end_at, row.adults, row.children, row.currency, row.final_price, row.notes, row.client_id, row.rental_id, row.source_id, row.canceled_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversation_bookings.booking_id
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key AND conversation_bookings.booking_id <= $3::BIGINT ORDER BY conversation_bookings.booking_id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT bookings.created_at AS created_at, bookings.updated_at AS updated_at, bookings.account_id AS account_id, bookings.id AS id, bookings.reference AS reference, bookings.external_reference AS external_reference, bookings.status AS status, bookings.start_at AS start_at, bookings.end_at AS end_at, bookings.adults AS adults, bookings.children AS children, bookings.currency AS currency, bookings.final_price AS final_price, bookings.notes AS notes, bookings.client_id AS client_id, bookings.rental_id AS rental_id, bookings.source_id AS source_id, bookings.canceled_at AS canceled_at
FROM bookings JOIN conversation_bookings ON conversation_bookings.account_id = bookings.account_id AND conversation_bookings.booking_id = bookings.id
WHERE bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = parent.key AND conversation_bookings.booking_id > $3::BIGINT ORDER BY conversation_bookings.booking_id DESC
LIMIT $4) AS row ON true;

SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.conversation_id, row.sender_id, row.content, row.channel, row.origin, row.visibility, row.sent_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT messages.created_by_type AS created_by_type, messages.created_by_id AS created_by_id, messages.created_by_user_id AS created_by_user_id, messages.created_by_application_id AS created_by_application_id, messages.created_at AS created_at, messages.updated_at AS updated_at, messages.account_id AS account_id, messages.id AS id, messages.conversation_id AS conversation_id, messages.sender_id AS sender_id, messages.content AS content, messages.channel AS channel, messages.origin AS origin, messages.visibility AS visibility, messages.sent_at AS sent_at
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.visibility = $3 AND messages.conversation_id = parent.key ORDER BY messages.sent_at ASC, messages.id ASC
LIMIT $4) AS row ON true;
