"""Delivery states of the newest messages to guests, for the demo: most have arrived, and one could not be delivered."""

from __future__ import annotations

from collections import defaultdict

import asyncpg

from db.queries.conversation.derived import COUNTERS

# Of each account. The error is what a channel's application would report.
_RELAY = """
WITH newest AS (
    SELECT m.account_id, m.id, row_number() OVER (PARTITION BY m.account_id ORDER BY m.sent_at DESC, m.id DESC) AS place
    FROM messages m JOIN participants p ON (p.account_id, p.id) = (m.account_id, m.sender_id)
    WHERE p.member_type = 'HOST' AND m.visibility = 'EXTERNAL' AND m.channel IS NOT NULL
)
UPDATE messages m
SET delivery_attempts = 1,
    delivery_state = CASE
        WHEN n.place = 3 THEN 'FAILED' WHEN n.place < 3 THEN 'SENT' WHEN n.place % 3 = 0 THEN 'DELIVERED' ELSE 'READ'
    END,
    delivery_error = CASE WHEN n.place = 3 THEN 'The guest''s mailbox is full' END,
    delivery_at = least(m.sent_at + interval '3 seconds', date_trunc('milliseconds', now()))
FROM newest n WHERE n.place <= 60 AND m.account_id = n.account_id AND m.id = n.id
RETURNING m.account_id, m.conversation_id
"""


async def relay(connection: asyncpg.Connection) -> None:
    """Give the newest messages to guests in a seeded database a delivery state, and derive their conversations."""
    async with connection.transaction():
        conversations: defaultdict[int, set[int]] = defaultdict(set)
        for account_id, conversation_id in await connection.fetch(_RELAY):
            conversations[account_id].add(conversation_id)
        for account_id, ids in conversations.items():
            await connection.execute(COUNTERS, account_id, sorted(ids))
