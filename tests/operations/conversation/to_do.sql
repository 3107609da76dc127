SELECT conversations.account_id AS parent, count(*) AS total
FROM conversations
WHERE conversations.account_id = $1::BIGINT AND conversations.closed_at IS NULL AND conversations.marked_as_spam_at IS NULL AND conversations.assignee_id IS NOT NULL AND conversations.account_id = any($2::BIGINT[]) GROUP BY conversations.account_id;

SELECT parent.position, row.id, row.assignee_id, assignee_id.id AS "assignee_id.id", assignee_id.firstname AS "assignee_id.firstname"
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT conversations.id AS id, conversations.assignee_id AS assignee_id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.closed_at IS NULL AND (conversations.closed_at IS NULL) IS true AND conversations.marked_as_spam_at IS NULL AND (conversations.marked_as_spam_at IS NULL) IS true AND conversations.assignee_id IS NOT NULL AND (conversations.assignee_id IS NOT NULL) IS true AND conversations.account_id = parent.key ORDER BY CASE WHEN (conversations.deadline_response_at IS NULL) THEN 'infinity'::timestamptz ELSE conversations.deadline_response_at END ASC, conversations.id ASC
LIMIT $3) AS row ON true LEFT OUTER JOIN LATERAL (SELECT hosts.id AS id, hosts.firstname AS firstname
FROM hosts
WHERE hosts.account_id = $2::BIGINT AND hosts.id = row.assignee_id
LIMIT 1) AS assignee_id ON true;
