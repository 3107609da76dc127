SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any($2::BIGINT[]) AND conversations.closed_at IS NOT NULL AND conversations.marked_as_spam_at IS NULL AND conversations.read AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id = any($3::BIGINT[]) AND conversations.source_id IS NOT NULL AND conversations.source_id = any($4::BIGINT[]) AND conversations.default_channel IS NOT NULL AND conversations.default_channel = any($5::VARCHAR(32)[]) AND (EXISTS (SELECT conversation_bookings.conversation_id
FROM conversation_bookings
WHERE conversation_bookings.account_id = $1::BIGINT AND conversation_bookings.conversation_id = conversations.id AND conversation_bookings.booking_id = any($6::BIGINT[]))) AND (EXISTS (SELECT inquiries.conversation_id
FROM inquiries
WHERE inquiries.account_id = $1::BIGINT AND inquiries.conversation_id = conversations.id AND inquiries.id = any($7::BIGINT[]))) AND conversations.updated_at >= $8::TIMESTAMP WITH TIME ZONE AND conversations.account_id = any($9::BIGINT[]) GROUP BY conversations.account_id;

SELECT parent.position, row.id
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.id = any($3::BIGINT[]) AND conversations.closed_at IS NOT NULL AND (conversations.closed_at IS NOT NULL) IS true AND conversations.marked_as_spam_at IS NULL AND (conversations.marked_as_spam_at IS NULL) IS true AND conversations.read AND conversations.read IS true AND conversations.assignee_id IS NOT NULL AND (conversations.assignee_id IS NOT NULL) IS true AND conversations.assignee_id IS NOT NULL AND conversations.assignee_id = any($4::BIGINT[]) AND conversations.source_id IS NOT NULL AND conversations.source_id = any($5::BIGINT[]) AND conversations.default_channel IS NOT NULL AND conversations.default_channel = any($6::VARCHAR(32)[]) AND (EXISTS (SELECT conversation_bookings.conversation_id
FROM conversation_bookings
WHERE conversation_bookings.account_id = $2::BIGINT AND conversation_bookings.conversation_id = conversations.id AND conversation_bookings.booking_id = any($7::BIGINT[]))) AND (EXISTS (SELECT inquiries.conversation_id
FROM inquiries
WHERE inquiries.account_id = $2::BIGINT AND inquiries.conversation_id = conversations.id AND inquiries.id = any($8::BIGINT[]))) AND conversations.updated_at >= $9::TIMESTAMP WITH TIME ZONE AND (conversations.updated_at >= $9::TIMESTAMP WITH TIME ZONE) IS true AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.last_message_at IS NULL) THEN '-infinity'::timestamptz ELSE conversations.last_message_at END DESC, conversations.id DESC
LIMIT $10) AS row ON true;
