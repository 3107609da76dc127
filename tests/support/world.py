"""An account with a row of every table, and dumps of all tables: for tests of access and changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg

from db.tables import Table
from tests.support.client import Client
from tests.support.factories import derive_all, log_changes, store

# The ids of an account's rows. They are the same in every account, so that only the account distinguishes them.
USER, HOST, OTHER_HOST, SOURCE, INTERNAL_SOURCE, CLIENT, RENTAL = 1, 1, 2, 5, 6, 7, 8
CONVERSATION, OTHER_CONVERSATION = 10, 11
BOOKING, OTHER_BOOKING, FREE_BOOKING = 20, 21, 22
INQUIRY, CLIENT_PARTICIPANT, HOST_PARTICIPANT, MESSAGE, NOTE = 30, 40, 41, 50, 51
ACTIVITY, APPLICATION = 60, 65
ENDPOINT, OTHER_ENDPOINT, DELIVERY, ATTEMPT = 70, 71, 72, 73
EPOCH = "epoch"
# What every write leaves besides: `test_logged.py`, the tests of searching and those of the inbox's rules hold what is
# in these tables.
FOLLOWING = {"activities", "changes", "change_counters", "conversation_texts"}

Rows: TypeAlias = list[dict[str, Any]]
Dump: TypeAlias = dict[str, Rows]


@dataclass(frozen=True)
class World:
    """An application on a database that several tests use, one after the other."""

    client: Client
    connection: asyncpg.Connection[Any]

    async def fill(self, *accounts: int) -> None:
        """Replace all rows of the database by those of these accounts."""
        await empty(self.connection)
        await store_application(self.connection)
        for account in accounts:
            await store_world(self.connection, account)
        # Above the ids that were given explicitly.
        await self.connection.execute("SELECT setval('row_ids', 10000)")
        self.client.statements.take()


async def store_application(connection: asyncpg.Connection[Any]) -> None:
    """The application that all accounts share."""
    await store(connection, "applications", id=APPLICATION, name="Airbnb")


async def store_world(connection: asyncpg.Connection[Any], account: int = 1, shift: int = 0) -> None:
    """Store an account with rows of every table, connected to each other. Every text contains the account.

    `shift` is added to all ids, for rows with numbers that no other account has. An existing account gets more rows.
    """

    async def put(table: str, id_: int, **values: Any) -> None:
        await store(connection, table, account_id=account, id=id_ + shift, **values)

    mark = f"of {account}"
    stored = await connection.fetchval("SELECT count(*) FROM accounts WHERE id = $1", account)
    if not stored:
        await store(connection, "accounts", id=account, business_name=f"Villas {mark}", email=f"a@{account}.example")
    await put("users", USER, name=f"Uma {mark}", email=f"uma@{account}.example")
    await put("sources", SOURCE, name=f"Website {mark}")
    await put("sources", INTERNAL_SOURCE, name=f"Internal {mark}", internal=True)
    await put("hosts", HOST, firstname="Hugo", lastname=mark, user_id=USER + shift, source_id=SOURCE + shift)
    await put("hosts", OTHER_HOST, firstname="Hedda", lastname=mark)
    await put("clients", CLIENT, fullname=f"Clara {mark}")
    await put("rentals", RENTAL, name=f"Villa {mark}")
    links = {"source_id": SOURCE + shift, "rental_id": RENTAL + shift}
    for booking in (BOOKING, OTHER_BOOKING, FREE_BOOKING):
        await put("bookings", booking, reference=f"{booking} {mark}", client_id=CLIENT + shift, **links)
    await put("conversations", CONVERSATION, subject=f"Keys {mark}", source_id=SOURCE + shift, **_by_user(shift))
    await put(
        "conversations",
        OTHER_CONVERSATION,
        subject=f"Towels {mark}",
        assignee_id=HOST + shift,
        **_by_application(),
        **_external(mark, shift),
    )
    await put(
        "inquiries",
        INQUIRY,
        firstname="Ina",
        lastname=mark,
        conversation_id=CONVERSATION + shift,
        booking_id=BOOKING + shift,
        **links,
    )
    await _store_thread(connection, account, shift, mark)
    for booking in (BOOKING, OTHER_BOOKING):
        await store(
            connection,
            "conversation_bookings",
            account_id=account,
            conversation_id=CONVERSATION + shift,
            booking_id=booking + shift,
        )
    await _store_webhooks(connection, account, shift, mark)
    await _store_activities(connection, account, shift)
    await derive_all(connection, account)
    await log_changes(
        connection,
        account,
        ("CONVERSATION", CONVERSATION + shift, CONVERSATION + shift),
        ("MESSAGE", MESSAGE + shift, CONVERSATION + shift),
        ("BOOKING", BOOKING + shift, None),
    )


async def _store_webhooks(connection: asyncpg.Connection[Any], account: int, shift: int, mark: str) -> None:
    """Store an endpoint of a user with a delivery and its attempt, and one of the application without any."""

    async def put(table: str, id_: int, **values: Any) -> None:
        await store(connection, table, account_id=account, id=id_ + shift, **values)

    await put("webhook_endpoints", ENDPOINT, url=f"https://hooks.example/{account}", **_by_user(shift))
    await put("webhook_endpoints", OTHER_ENDPOINT, enabled=False, disabled_reason=f"Gone {mark}", **_by_application())
    await put(
        "webhook_deliveries",
        DELIVERY,
        endpoint_id=ENDPOINT + shift,
        message_id=f"msg_{mark}",
        conversation_id=CONVERSATION + shift,
        state="FAILED",
    )
    await put("webhook_attempts", ATTEMPT, delivery_id=DELIVERY + shift, status=500, answer=f"Busy {mark}")


async def _store_thread(connection: asyncpg.Connection[Any], account: int, shift: int, mark: str) -> None:
    """Store a guest and a host in the conversation, a message of the guest and a note of the host."""
    in_thread: dict[str, Any] = {"account_id": account, "conversation_id": CONVERSATION + shift}
    members: list[tuple[int, str, str, int]] = [
        (CLIENT_PARTICIPANT, "CLIENT", "client_id", CLIENT + shift),
        (HOST_PARTICIPANT, "HOST", "host_id", HOST + shift),
    ]
    for id_, kind, column, member in members:
        await store(
            connection,
            "participants",
            id=id_ + shift,
            member_type=kind,
            member_id=member,
            **{column: member},
            **in_thread,
        )
    message = {"sender_id": CLIENT_PARTICIPANT + shift, "content": f"Where are the keys {mark}?", **_by_application()}
    note = {"sender_id": HOST_PARTICIPANT + shift, "content": f"Under the mat {mark}", **_by_user(shift)}
    await store(connection, "messages", id=MESSAGE + shift, **message, **_external(mark, shift), **in_thread)
    await store(connection, "messages", id=NOTE + shift, visibility="INTERNAL", **note, **in_thread)


async def _store_activities(connection: asyncpg.Connection[Any], account: int, shift: int) -> None:
    """Store an activity of each kind of record that one refers to."""
    by_user, by_application = _by_user(shift), _by_application()
    activities: list[dict[str, Any]] = [
        {"type": "ASSIGNED", "assignee_id": HOST + shift, **by_user},
        {"type": "BOOKING_CONNECTED", "booking_id": BOOKING + shift, **by_user},
        {"type": "REOPENED", "message_id": MESSAGE + shift, **by_application},
    ]
    for place, values in enumerate(activities):
        in_thread = {"account_id": account, "conversation_id": CONVERSATION + shift}
        await store(connection, "activities", id=ACTIVITY + shift + place, **in_thread, **values)


def _external(mark: str, shift: int) -> dict[str, Any]:
    """The external id of a delivered record, unique per application and account."""
    return {} if shift else {"external_id": f"Keys {mark}"}


def _by_user(shift: int) -> dict[str, Any]:
    return {"created_by_type": "USER", "created_by_id": USER + shift, "created_by_user_id": USER + shift}


def _by_application() -> dict[str, Any]:
    return {
        "created_by_type": "APPLICATION",
        "created_by_id": APPLICATION,
        "created_by_application_id": APPLICATION,
    }


async def empty(connection: asyncpg.Connection[Any]) -> None:
    """Delete all rows of all tables except the epoch, which gets a fixed value."""
    tables = [table.name for table in reversed(Table.metadata.sorted_tables) if table.name != "epochs"]
    await connection.execute("; ".join(f"DELETE FROM {name}" for name in tables))  # noqa: S608
    await connection.execute("UPDATE epochs SET value = $1", EPOCH)


async def dump(connection: asyncpg.Connection[Any]) -> Dump:
    """All rows of all tables, each table in the order of its key."""
    return {
        table.name: [
            dict(row)
            for row in await connection.fetch(
                f"SELECT * FROM {table.name} ORDER BY {', '.join(column.name for column in table.primary_key)}"  # noqa: S608  # the tables' own names
            )
        ]
        for table in Table.metadata.sorted_tables
    }


def changes(before: Dump, after: Dump) -> dict[str, tuple[Rows, Rows]]:
    """For each changed table, the rows that are only in `before`, and those only in `after`."""
    differing = {name: (_without(rows, after[name]), _without(after[name], rows)) for name, rows in before.items()}
    return {name: rows for name, rows in differing.items() if any(rows)}


def _without(rows: Rows, others: Rows) -> Rows:
    return [row for row in rows if row not in others]
