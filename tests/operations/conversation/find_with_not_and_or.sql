SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND (conversations.closed_at IS NOT NULL AND (conversations.closed_at IS NOT NULL) IS true OR conversations.marked_as_spam_at IS NOT NULL AND (conversations.marked_as_spam_at IS NOT NULL) IS true) AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $3) AS row ON true;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.closed_at IS NULL AND (conversations.closed_at IS NULL) IS true AND conversations.marked_as_spam_at IS NULL AND (conversations.marked_as_spam_at IS NULL) IS true AND NOT (EXISTS (SELECT conversation_bookings.conversation_id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = conversations.id AND bookings.rental_id = any($3::BIGINT[]))) AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $4) AS row ON true;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.id IN ((SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND (EXISTS (SELECT participants.conversation_id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = conversations.id AND participants.client_id = any($3::BIGINT[]))) AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $4) UNION ALL (SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND (EXISTS (SELECT conversation_bookings.conversation_id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = conversations.id AND bookings.rental_id = any($5::BIGINT[]))) AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $4)) AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $4) AS row ON true;
