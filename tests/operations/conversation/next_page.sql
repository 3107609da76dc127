SELECT parent.position, ends.beyond_after, row.updated_at, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) >= ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY conversations.updated_at ASC, conversations.id ASC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT conversations.updated_at AS updated_at, conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) < ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY conversations.updated_at DESC, conversations.id DESC
LIMIT 3) AS row ON true;

SELECT parent.position, ends.beyond_after, ends.beyond_before, row.updated_at, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) >= ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) ORDER BY conversations.updated_at ASC, conversations.id ASC
LIMIT 1) IS NOT NULL AS beyond_after, (SELECT conversations.id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) <= ($5::TIMESTAMP WITH TIME ZONE, $6::BIGINT) ORDER BY conversations.updated_at DESC, conversations.id DESC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT conversations.updated_at AS updated_at, conversations.id AS id
FROM conversations
WHERE conversations.account_id = $2::BIGINT AND conversations.account_id = parent.key AND (conversations.updated_at, conversations.id) < ($3::TIMESTAMP WITH TIME ZONE, $4::BIGINT) AND (conversations.updated_at, conversations.id) > ($5::TIMESTAMP WITH TIME ZONE, $6::BIGINT) ORDER BY conversations.updated_at ASC, conversations.id ASC
LIMIT 2) AS row ON true;
