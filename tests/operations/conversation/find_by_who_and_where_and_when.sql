SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND (EXISTS (SELECT conversation_bookings.booking_id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = conversations.id AND bookings.status = any($2::VARCHAR(32)[]))) AND (EXISTS (SELECT conversation_bookings.booking_id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = conversations.id AND bookings.rental_id = any($3::BIGINT[]))) AND (EXISTS (SELECT participants.conversation_id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.conversation_id = conversations.id AND participants.client_id = any($4::BIGINT[]))) AND (EXISTS (SELECT participants.conversation_id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.conversation_id = conversations.id AND participants.host_id = any($5::BIGINT[]))) AND conversations.created_at >= $6::TIMESTAMP WITH TIME ZONE AND conversations.updated_at > $7::TIMESTAMP WITH TIME ZONE AND conversations.last_message_at IS NOT NULL AND coalesce(conversations.last_message_at, 'infinity'::timestamptz) >= $8::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.last_message_at, '-infinity'::timestamptz) >= $8::TIMESTAMP WITH TIME ZONE AND conversations.last_message_at IS NOT NULL AND coalesce(conversations.last_message_at, 'infinity'::timestamptz) < $9::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.last_message_at, '-infinity'::timestamptz) < $9::TIMESTAMP WITH TIME ZONE AND conversations.deadline_response_at IS NOT NULL AND coalesce(conversations.deadline_response_at, 'infinity'::timestamptz) <= $10::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.deadline_response_at, '-infinity'::timestamptz) <= $10::TIMESTAMP WITH TIME ZONE AND conversations.account_id = any($11::BIGINT[]) GROUP BY conversations.account_id;

SELECT parent.position, row.id, row.last_message_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id, conversations.last_message_at AS last_message_at
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND (EXISTS (SELECT conversation_bookings.booking_id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = conversations.id AND bookings.status = any($3::VARCHAR(32)[]))) AND (EXISTS (SELECT conversation_bookings.booking_id
FROM conversation_bookings JOIN bookings ON bookings.account_id = conversation_bookings.account_id AND bookings.id = conversation_bookings.booking_id
WHERE conversation_bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = conversations.id AND bookings.rental_id = any($4::BIGINT[]))) AND (EXISTS (SELECT participants.conversation_id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = conversations.id AND participants.client_id = any($5::BIGINT[]))) AND (EXISTS (SELECT participants.conversation_id
FROM participants
WHERE participants.account_id = $2::BIGINT AND participants.conversation_id = conversations.id AND participants.host_id = any($6::BIGINT[]))) AND conversations.created_at >= $7::TIMESTAMP WITH TIME ZONE AND (conversations.created_at >= $7::TIMESTAMP WITH TIME ZONE) IS true AND conversations.updated_at > $8::TIMESTAMP WITH TIME ZONE AND (conversations.updated_at > $8::TIMESTAMP WITH TIME ZONE) IS true AND conversations.last_message_at IS NOT NULL AND coalesce(conversations.last_message_at, 'infinity'::timestamptz) >= $9::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.last_message_at, '-infinity'::timestamptz) >= $9::TIMESTAMP WITH TIME ZONE AND conversations.last_message_at IS NOT NULL AND coalesce(conversations.last_message_at, 'infinity'::timestamptz) < $10::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.last_message_at, '-infinity'::timestamptz) < $10::TIMESTAMP WITH TIME ZONE AND (conversations.last_message_at IS NOT NULL AND coalesce(conversations.last_message_at, 'infinity'::timestamptz) >= $9::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.last_message_at, '-infinity'::timestamptz) >= $9::TIMESTAMP WITH TIME ZONE AND conversations.last_message_at IS NOT NULL AND coalesce(conversations.last_message_at, 'infinity'::timestamptz) < $10::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.last_message_at, '-infinity'::timestamptz) < $10::TIMESTAMP WITH TIME ZONE) IS true AND conversations.deadline_response_at IS NOT NULL AND coalesce(conversations.deadline_response_at, 'infinity'::timestamptz) <= $11::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.deadline_response_at, '-infinity'::timestamptz) <= $11::TIMESTAMP WITH TIME ZONE AND (conversations.deadline_response_at IS NOT NULL AND coalesce(conversations.deadline_response_at, 'infinity'::timestamptz) <= $11::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.deadline_response_at, '-infinity'::timestamptz) <= $11::TIMESTAMP WITH TIME ZONE) IS true AND conversations.account_id = parent.key ORDER BY coalesce(conversations.last_message_at, '-infinity'::timestamptz) DESC, conversations.id DESC
LIMIT $12) AS row ON true;

SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND (EXISTS (SELECT participants.conversation_id
FROM participants
WHERE participants.account_id = $1::BIGINT AND participants.conversation_id = conversations.id AND participants.client_id = any($2::BIGINT[]))) AND conversations.account_id = any($3::BIGINT[]) GROUP BY conversations.account_id;

SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.last_message_at IS NOT NULL AND coalesce(conversations.last_message_at, 'infinity'::timestamptz) < $2::TIMESTAMP WITH TIME ZONE AND coalesce(conversations.last_message_at, '-infinity'::timestamptz) < $2::TIMESTAMP WITH TIME ZONE AND conversations.account_id = any($3::BIGINT[]) GROUP BY conversations.account_id;
