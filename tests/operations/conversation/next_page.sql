SELECT parent.position, ends.beyond_after, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, row.closed_at, row.deadline_response_at, row.last_message_at, row.marked_as_spam_at, row.read_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) >= ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY conversations.updated_at ASC, conversations.id ASC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) < ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY conversations.updated_at DESC, conversations.id DESC
LIMIT $5) AS row ON true;

SELECT parent.position, ends.beyond_after, ends.beyond_before, row.created_by_type, row.created_by_id, row.created_by_user_id, row.created_by_application_id, row.created_at, row.updated_at, row.account_id, row.id, row.subject, row.assignee_id, row.source_id, row.default_channel, row.closed_at, row.deadline_response_at, row.last_message_at, row.marked_as_spam_at, row.read_at
FROM unnest($1::BIGINT[]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) >= ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY conversations.updated_at ASC, conversations.id ASC
LIMIT 1) IS NOT NULL AS beyond_after, (SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) <= ($5::TIMESTAMP WITH TIME ZONE, $6::BIGINT) ORDER BY conversations.updated_at DESC, conversations.id DESC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT conversations.created_by_type AS created_by_type, conversations.created_by_id AS created_by_id, conversations.created_by_user_id AS created_by_user_id, conversations.created_by_application_id AS created_by_application_id, conversations.created_at AS created_at, conversations.updated_at AS updated_at, conversations.account_id AS account_id, conversations.id AS id, conversations.subject AS subject, conversations.assignee_id AS assignee_id, conversations.source_id AS source_id, conversations.default_channel AS default_channel, conversations.closed_at AS closed_at, conversations.deadline_response_at AS deadline_response_at, conversations.last_message_at AS last_message_at, conversations.marked_as_spam_at AS marked_as_spam_at, conversations.read_at AS read_at
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) < ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) AND (conversations.updated_at, conversations.id) > ($5::TIMESTAMP WITH TIME ZONE, $6::BIGINT) ORDER BY conversations.updated_at ASC, conversations.id ASC
LIMIT $7) AS row ON true;
