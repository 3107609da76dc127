SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.id = any(ARRAY[$2::BIGINT]);

SELECT activities.conversation_id AS parent, count(*) AS total
FROM activities
WHERE activities.account_id = $1::BIGINT AND activities.conversation_id = any(ARRAY[$2::BIGINT]) GROUP BY activities.conversation_id;

SELECT parent.position, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.id, row.conversation_id, row.type, date_part('epoch', row.created_at) AS created_at_seconds, row.assignee_id, row.booking_id, row.message_id, assignee_id.id AS "assignee_id.id", assignee_id.firstname AS "assignee_id.firstname", booking_id.id AS "booking_id.id", booking_id.reference AS "booking_id.reference", conversation_id.id AS "conversation_id.id", created_by_application_id.id AS "created_by_application_id.id", created_by_application_id.name AS "created_by_application_id.name", created_by_user_id.id AS "created_by_user_id.id", created_by_user_id.name AS "created_by_user_id.name"
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT activities.created_by_type AS created_by_type, activities.created_by_id AS created_by_id, activities.created_by_user_id AS created_by_user_id, activities.created_by_application_id AS created_by_application_id, activities.id AS id, activities.conversation_id AS conversation_id, activities.type AS type, activities.created_at AS created_at, activities.assignee_id AS assignee_id, activities.booking_id AS booking_id, activities.message_id AS message_id
FROM activities
WHERE activities.account_id = $2::BIGINT AND activities.conversation_id = parent.key ORDER BY activities.id ASC
LIMIT 21) AS row ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.id = row.assignee_id
LIMIT 1) AS assignee_id ON true LEFT OUTER JOIN LATERAL (SELECT bookings.id AS id, bookings.reference AS reference
FROM bookings
WHERE bookings.account_id = $2::BIGINT AND bookings.id = row.booking_id
LIMIT 1) AS booking_id ON true LEFT OUTER JOIN LATERAL (SELECT conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.id = row.conversation_id
LIMIT 1) AS conversation_id ON true LEFT OUTER JOIN LATERAL (SELECT applications.id AS id, applications.name AS name
FROM applications
WHERE applications.id = row.created_by_application_id
LIMIT 1) AS created_by_application_id ON true LEFT OUTER JOIN LATERAL (SELECT users.id AS id, users.name AS name
FROM users
WHERE users.account_id = $2::BIGINT AND users.id = row.created_by_user_id
LIMIT 1) AS created_by_user_id ON true;

SELECT messages.id, CASE WHEN (sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) <= $1::BIGINT) THEN messages.content END AS content, sum(coalesce(octet_length(messages.content), 0)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes_read
FROM messages
WHERE messages.account_id = $2::BIGINT AND messages.id = any(ARRAY[$3::BIGINT]);

SELECT parent.position, ends.beyond_before, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT activities.id
FROM activities
WHERE activities.account_id = $2::BIGINT AND activities.conversation_id = parent.key AND activities.id >= $3::BIGINT ORDER BY activities.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT activities.id AS id
FROM activities
WHERE activities.account_id = $2::BIGINT AND activities.conversation_id = parent.key AND activities.id < $3::BIGINT ORDER BY activities.id DESC
LIMIT 3) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT activities.id
FROM activities
WHERE activities.account_id = $2::BIGINT AND activities.conversation_id = parent.key AND activities.id <= $3::BIGINT ORDER BY activities.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT activities.id AS id
FROM activities
WHERE activities.account_id = $2::BIGINT AND activities.conversation_id = parent.key AND activities.id > $3::BIGINT ORDER BY activities.id ASC
LIMIT 3) AS row ON true;
