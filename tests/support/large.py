"""Makes a large account in the database within seconds, for tests of query plans and times.

It resembles a company's inbox after years: nearly all conversations are closed, open ones are mostly recent, and each
condition has frequent and rare values. Messages, words and other rows that these tests do not read are omitted.
"""

from __future__ import annotations

import asyncpg

_TABLES = ("conversations", "bookings", "conversation_bookings", "participants", "inquiries")

# `dice(n, k)` is a uniform number from 0 to 1 for the row n and the purpose k, the same in every run.
_FILL = """
CREATE FUNCTION dice(n bigint, k integer) RETURNS double precision IMMUTABLE PARALLEL SAFE LANGUAGE sql RETURN
    (hashint8extended(n, k) & 2147483647) / 2147483648.0;

INSERT INTO accounts (id, business_name, time_zone, created_at, updated_at)
SELECT a, 'Villas', 'Europe/Paris', now(), now() FROM generate_series(1, 2) a;
INSERT INTO users (account_id, id, name) SELECT a, 1, 'Uma' FROM generate_series(1, 2) a;
INSERT INTO hosts (account_id, id, firstname, lastname, user_id, created_at, updated_at)
SELECT 1 + (h > 40)::integer, h, 'Hana', 'Host', CASE WHEN h = 40 THEN 1 END, now(), now()
FROM generate_series(1, 5000) h;

INSERT INTO conversations (
    account_id, id, subject, assignee_id, source_id, default_channel, closed_at, marked_as_spam_at, read_at,
    created_at, updated_at, last_message_at, deadline_response_at, unanswered_since
)
SELECT 1 + (c > :conversations)::integer, c, 'About a stay',
    CASE WHEN dice(c, 1) < 0.7 THEN 1 + floor(40 * dice(c, 2) ^ 3) END,
    CASE WHEN dice(c, 3) < 0.9 THEN 1 + floor(12 * dice(c, 4) ^ 4) END,
    CASE WHEN channel < 0.5 THEN 'AIRBNB' WHEN channel < 0.8 THEN 'BOOKING_COM' WHEN channel < 0.95 THEN 'EMAIL'
        WHEN channel < 0.951 THEN 'HOMEAWAY' WHEN channel < 0.9511 THEN 'VRBO' END,
    CASE WHEN NOT open THEN said + interval '2 days' END,
    CASE WHEN dice(c, 6) < 0.005 THEN said END,
    CASE WHEN NOT unread THEN said END,
    made, changed, CASE WHEN dice(c, 7) > 0.01 THEN said END,
    CASE WHEN waiting OR dice(c, 8) < 0.1 THEN said + interval '1 day' END,
    CASE WHEN waiting OR dice(c, 9) < 0.2 THEN said END
FROM generate_series(1, :conversations * 11 / 10) c,
    LATERAL (SELECT dice(c, 5) AS channel, now() - (1500 * dice(c, 10)) * interval '1 day' AS made) born,
    LATERAL (SELECT least(made + 20 * dice(c, 11) ^ 4 * interval '1 day', now()) AS said) talk,
    LATERAL (
        SELECT CASE WHEN dice(c, 12) < 0.002 THEN now() - dice(c, 13) * interval '48 h' ELSE said END AS changed
    ) late,
    LATERAL (SELECT dice(c, 14) < CASE WHEN said > now() - interval '30 days' THEN 0.6 ELSE 0.004 END AS open) state,
    LATERAL (SELECT open AND dice(c, 15) < 0.3 AS waiting) reply,
    LATERAL (SELECT dice(c, 16) < CASE WHEN open THEN 0.3 ELSE 0.001 END AS unread) mark
ORDER BY made;

INSERT INTO bookings (account_id, id, reference, status, start_at, end_at, rental_id, client_id, created_at, updated_at)
SELECT account_id, id, 'B' || id,
    CASE WHEN dice(id, 20) < 0.75 THEN 'BOOKED' WHEN dice(id, 20) < 0.95 THEN 'CANCELED' WHEN dice(id, 20) < 0.9999
        THEN 'TENTATIVE' ELSE 'LOCKED' END,
    created_at + 90 * dice(id, 21) * interval '1 day',
    created_at + (90 * dice(id, 21) + 1 + 13 * dice(id, 22)) * interval '1 day',
    1 + floor(2000 * dice(id, 23) ^ 3), 1 + id % (:conversations / 2), created_at, updated_at
FROM conversations WHERE dice(id, 24) < 0.8;
INSERT INTO conversation_bookings (account_id, conversation_id, booking_id) SELECT account_id, id, id FROM bookings;
UPDATE conversations c SET booking_statuses = CASE status WHEN 'BOOKED' THEN 1 WHEN 'TENTATIVE' THEN 2
    WHEN 'LOCKED' THEN 8 WHEN 'CANCELED' THEN 16 END, stays_until = CASE status WHEN 'BOOKED' THEN end_at END
FROM bookings b WHERE (b.account_id, b.id) = (c.account_id, c.id);
UPDATE conversations SET undelivered_count = 1 WHERE dice(id, 25) < 0.002;

INSERT INTO participants (
    account_id, id, conversation_id, member_type, member_id, client_id, host_id, created_at, updated_at
)
SELECT account_id, 2 * id + (client IS NULL)::integer, id, CASE WHEN client IS NULL THEN 'HOST' ELSE 'CLIENT' END,
    coalesce(client, host), client, host, created_at, updated_at
FROM conversations, LATERAL (
    VALUES (1 + id % (:conversations / 2), NULL), (NULL, 1 + floor(40 * dice(id, 30) ^ 3)::bigint)
) member (client, host);

INSERT INTO inquiries (account_id, id, firstname, lastname, email, conversation_id, created_at, updated_at)
SELECT account_id, id, 'Gus', 'Guest', 'gus@example.com', id, created_at, updated_at
FROM conversations WHERE dice(id, 31) < 0.1;
DROP FUNCTION dice;
"""


async def fill(connection: asyncpg.Connection, conversations: int) -> None:
    """Store that many conversations in account 1 and a tenth of them in account 2, in an empty database.

    Takes two minutes for a million. Afterwards the connection does not check foreign keys.
    """
    indexes = await connection.fetch(
        """
        SELECT format('%I.%I', schemaname, indexname) AS name, indexdef FROM pg_indexes
        WHERE tablename = ANY($1) AND indexname NOT IN (SELECT conname FROM pg_constraint)
        """,
        _TABLES,
    )
    for index in indexes:
        # Building an index takes less time than adding rows to it.
        await connection.execute(f"DROP INDEX {index['name']}")
    # Foreign keys are not checked, because some referenced rows are missing.
    await connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
    await connection.execute(_FILL.replace(":conversations", str(conversations)))
    for index in indexes:
        await connection.execute(index["indexdef"])
    # Updates the statistics and the visibility map.
    await connection.execute("VACUUM (ANALYZE)")
