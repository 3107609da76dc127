"""Stores rows for tests. Columns that a test does not give get defaults."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson

from db import tables as t
from db.changes import write_several
from db.queries.conversation.derived import STATEMENTS

MOMENT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
_STAMPS = {"created_at": MOMENT, "updated_at": MOMENT}

_DEFAULTS: dict[str, dict[str, Any]] = {
    "accounts": {"business_name": "Villas", "time_zone": "UTC", **_STAMPS},
    "applications": {"name": "Airbnb"},
    "users": {"name": "Uma"},
    "hosts": {"firstname": "Hugo", "lastname": "Host", **_STAMPS},
    "clients": {"fullname": "Clara Client", **_STAMPS},
    "sources": {"name": "Website", "internal": False, **_STAMPS},
    "rentals": {"name": "Villa Mar", **_STAMPS},
    "bookings": {"reference": "REF", "status": "BOOKED", "start_at": MOMENT, "end_at": MOMENT, **_STAMPS},
    "inquiries": {"firstname": "Ina", "lastname": "Inquirer", "email": "ina@example.com", **_STAMPS},
    "conversations": _STAMPS,
    "participants": _STAMPS,
    "messages": {
        "content": "Hello",
        "origin": "EMAIL",
        "visibility": "EXTERNAL",
        "sent_at": MOMENT,
        **_STAMPS,
    },
    "conversation_bookings": {},
    "webhook_endpoints": {
        "url": "https://hooks.example/inbox",
        "events": ["MESSAGE_CREATED"],
        "enabled": True,
        "scopes": ["inbox_read"],
        "secret": b"encrypted",
        **_STAMPS,
    },
    "webhook_deliveries": {
        "message_id": "msg_1",
        "event": "MESSAGE_CREATED",
        "data": "{}",
        "state": "PENDING",
        "created_at": MOMENT,
    },
    "webhook_attempts": {"number": 1, "at": MOMENT, "duration_ms": 12},
    "activities": {"type": "CLOSED", "created_at": MOMENT},
}


async def store(connection: asyncpg.Connection, table: str, **values: Any) -> int | None:
    """Insert a row and return its id, if the table has one."""
    row = _DEFAULTS[table] | values
    columns = ", ".join(row)
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    returning = "" if table == "conversation_bookings" else "RETURNING id"
    return await connection.fetchval(  # type: ignore[no-any-return]
        f"INSERT INTO {table} ({columns}) VALUES ({places}) {returning}",  # noqa: S608  # names are the test's own
        *row.values(),
    )


async def store_account(connection: asyncpg.Connection, account: int = 1) -> None:
    """Store an account with a user, its host, and the shared application. All ids are the number `account`."""
    await store(connection, "accounts", id=account, business_name=f"Villas {account}")
    await store(connection, "users", account_id=account, id=1, name=f"Uma {account}")
    await store(connection, "hosts", account_id=account, id=1, user_id=1)


async def store_webhooks(connection: asyncpg.Connection, account: int) -> None:
    """Store an endpoint without deliveries, and one with 30 of the account's first conversations, with attempts."""
    user = await connection.fetchval("SELECT min(id) FROM users WHERE account_id = $1", account)
    creator = {"created_by_type": "USER", "created_by_id": user, "created_by_user_id": user}
    for id_ in (1, 2):
        await store(connection, "webhook_endpoints", account_id=account, id=id_, **creator)
    await connection.execute(
        """
        WITH stored AS (
            INSERT INTO webhook_deliveries
                (account_id, id, endpoint_id, message_id, event, conversation_id, data, state, due_at, created_at)
            SELECT $1, row_number() OVER (ORDER BY id), 2, 'msg_' || id,
                CASE WHEN id % 2 = 0 THEN 'MESSAGE_CREATED' ELSE 'CONVERSATION_UPDATED' END, id, '{}',
                CASE id % 3 WHEN 0 THEN 'PENDING' WHEN 1 THEN 'DELIVERED' ELSE 'FAILED' END, $2, $2
            FROM conversations WHERE account_id = $1 ORDER BY id LIMIT 30
            RETURNING account_id, id
        )
        INSERT INTO webhook_attempts (account_id, id, delivery_id, number, at, status, duration_ms)
        SELECT account_id, 2 * id + number, id, number, $2, 200, 10 FROM stored, generate_series(1, 2) number
        """,
        account,
        MOMENT,
    )


async def derive_all(connection: asyncpg.Connection, account: int = 1) -> None:
    """Derive the columns of conversations after a test stored rows, as the application does after writes."""
    ids = [row["id"] for row in await connection.fetch("SELECT id FROM conversations WHERE account_id = $1", account)]
    for statement in STATEMENTS:
        await connection.execute(statement, account, ids)


async def log_changes(
    connection: asyncpg.Connection,
    account: int,
    *changes: tuple[str, int, int | None],
    operation: str = "UPSERTED",
) -> None:
    """Log changes of nodes, which need not exist, given by type, id and conversation."""
    types, ids, conversations = zip(*changes, strict=True)
    await write_several(
        connection,
        """SELECT $1::bigint AS account_id, place, type, node_id, conversation_id, $5::text AS operation
        FROM unnest($2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
            AS given(type, node_id, conversation_id, place)""",
        account,
        types,
        ids,
        conversations,
        operation,
    )


async def log_some_of_each(connection: asyncpg.Connection, account: int) -> None:
    """Log a change of the first rows of each type, those of conversations last."""
    for type_ in sorted(t.ChangeType, reverse=True):
        table = f"{type_.lower()}s" if type_ != "INQUIRY" else "inquiries"
        known = {"CONVERSATION": "id", "MESSAGE": "conversation_id", "PARTICIPANT": "conversation_id"}
        conversation = known.get(type_, "NULL::bigint")
        where = "id" if type_ == "ACCOUNT" else "account_id"
        rows = await connection.fetch(
            f"SELECT id, {conversation} FROM {table} WHERE {where} = $1 ORDER BY id LIMIT 4",  # noqa: S608
            account,
        )
        await log_changes(connection, account, *((type_.value, *row) for row in rows))


async def log_cursors(dsn: str) -> list[str]:
    """Cursors of the first account's log: of its beginning, of each fifth change, and of its end."""
    connection = await asyncpg.connect(dsn)
    epoch = await connection.fetchval("SELECT value FROM epochs")
    last = await connection.fetchval("SELECT number FROM change_counters WHERE account_id = 1")
    await connection.close()
    places = [*range(0, last, 5), last]
    return [urlsafe_b64encode(orjson.dumps([epoch, 1, place])).decode().rstrip("=") for place in places]
