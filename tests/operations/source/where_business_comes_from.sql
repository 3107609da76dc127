SELECT sources.account_id AS parent, count(*) AS total
FROM sources
WHERE sources.account_id = $1::BIGINT AND sources.account_id = any(ARRAY[$2::BIGINT]) GROUP BY sources.account_id;

SELECT parent.position, date_part('epoch', row.created_at) AS created_at_seconds, date_part('epoch', row.updated_at) AS updated_at_seconds, row.id, row.name, row.internal
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT sources.created_at AS created_at, sources.updated_at AS updated_at, sources.id AS id, sources.name AS name, sources.internal AS internal
FROM sources
WHERE sources.account_id = $2::BIGINT AND sources.account_id = parent.key ORDER BY sources.id ASC
LIMIT 21) AS row ON true;

SELECT parent.position, ends.beyond_before, row.id, row.name
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT sources.id
FROM sources
WHERE sources.account_id = $2::BIGINT AND sources.account_id = parent.key AND sources.id >= $3::BIGINT ORDER BY sources.id ASC
LIMIT 1) IS NOT NULL AS beyond_before
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT sources.id AS id, sources.name AS name
FROM sources
WHERE sources.account_id = $2::BIGINT AND sources.account_id = parent.key AND sources.id < $3::BIGINT ORDER BY sources.id ASC
LIMIT 2) AS row ON true;

SELECT parent.position, ends.beyond_after, row.id, row.name
FROM unnest(ARRAY[$1::BIGINT]) WITH ORDINALITY AS parent(key, position) JOIN LATERAL (SELECT (SELECT sources.id
FROM sources
WHERE sources.account_id = $2::BIGINT AND sources.account_id = parent.key AND sources.id <= $3::BIGINT ORDER BY sources.id DESC
LIMIT 1) IS NOT NULL AS beyond_after
LIMIT ALL OFFSET 0) AS ends ON true LEFT OUTER JOIN LATERAL (SELECT sources.id AS id, sources.name AS name
FROM sources
WHERE sources.account_id = $2::BIGINT AND sources.account_id = parent.key AND sources.id > $3::BIGINT ORDER BY sources.id DESC
LIMIT 2) AS row ON true;
