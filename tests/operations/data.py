"""A small handwritten inbox, the data of the operations.

Two accounts whose rows have the same ids, so that a result from the wrong account is noticed. Every column has a value
in some row, and every nullable one null in another; every relation has a parent without rows, and one with several.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg

from tests.support.factories import derive_all, log_changes, store

_DAY = datetime(2026, 3, 1, tzinfo=UTC)
UNSTAMPED = {"users", "conversation_bookings", "webhook_deliveries", "webhook_attempts", "activities"}


def at(day: int, hour: int = 12, millisecond: int = 0) -> datetime:
    """A time in March 2026."""
    return _DAY.replace(day=day, hour=hour, microsecond=millisecond * 1_000)


def _by_user(id_: int, *, known: bool = True) -> dict[str, Any]:
    return {"created_by_type": "USER", "created_by_id": id_, "created_by_user_id": id_ if known else None}


def _by_application(id_: int, *, known: bool = True) -> dict[str, Any]:
    return {
        "created_by_type": "APPLICATION",
        "created_by_id": id_,
        "created_by_application_id": id_ if known else None,
    }


async def store_inbox(connection: asyncpg.Connection) -> None:
    """Store both accounts and their shared applications. New rows get ids from 1000 on."""
    await store(connection, "applications", id=1, name="Airbnb Connector")
    await store(connection, "applications", id=2, name="Front Desk")
    for account in (1, 2):
        await _store_account(_Rows(connection, account))
        await derive_all(connection, account)
        await log_changes(
            connection, account, ("CONVERSATION", 1, 1), ("MESSAGE", 1, 1), ("BOOKING", 1, None), ("CONVERSATION", 1, 1)
        )
        await log_changes(connection, account, ("INQUIRY", 9, 1), operation="REMOVED")
    await connection.execute("UPDATE epochs SET value = 'demo'")
    await connection.execute("SELECT setval('row_ids', 999)")


class _Rows:
    """Rows of one account, each created on another day. Every name contains the account."""

    def __init__(self, connection: asyncpg.Connection, account: int) -> None:
        self._connection = connection
        self.account = account

    def named(self, name: str) -> str:
        """A text that only this account has."""
        return f"{name} of {self.account}"

    async def add(self, table: str, **values: Any) -> None:
        """Store a row of the account."""
        stamps = {} if table in UNSTAMPED else {"created_at": at(1), "updated_at": at(2)}
        await store(self._connection, table, **({"account_id": self.account} | stamps | values))

    async def add_account(self, **values: Any) -> None:
        """Store the account itself."""
        await store(self._connection, "accounts", id=self.account, created_at=at(1), updated_at=at(2), **values)


async def _store_account(rows: _Rows) -> None:
    email = "office@villas.example" if rows.account == 1 else None
    await rows.add_account(business_name=rows.named("Villas"), email=email, time_zone="Europe/Lisbon")
    await _store_people_and_places(rows)
    await _store_bookings(rows)
    await _store_conversations(rows)
    await _store_inquiries(rows)
    await _store_participants(rows)
    await _store_messages(rows)
    await _store_webhooks(rows)
    await _store_activities(rows)


async def _store_people_and_places(rows: _Rows) -> None:
    named = rows.named
    await rows.add("users", id=1, name=named("Uma"), email="uma@villas.example")
    await rows.add("users", id=2, name=named("Ugo"))
    await rows.add("sources", id=1, name=named("Website"), internal=False)
    await rows.add("sources", id=2, name=named("Airbnb"), internal=True)
    await rows.add("hosts", id=1, firstname="Hana", lastname=named("Host"), user_id=1)
    await rows.add("hosts", id=2, firstname="Hugo", lastname=named("Host"), email="hugo@villas.example", source_id=2)
    await rows.add("rentals", id=1, name=named("Villa Mar"), city="Lagos", country_code="PT")
    await rows.add("rentals", id=2, name=named("Cabin"))
    await rows.add(
        "clients", id=1, fullname=named("Clara"), email="clara@example.com", phone="+351 1", preferred_locale="pt"
    )
    await rows.add("clients", id=2, fullname=named("Chen"))


async def _store_bookings(rows: _Rows) -> None:
    await rows.add(
        "bookings",
        id=1,
        reference=rows.named("B1"),
        external_reference="HMABC",
        status="BOOKED",
        start_at=at(10, 15),
        end_at=at(17, 10),
        adults=2,
        children=1,
        currency="EUR",
        final_price=Decimal("1500.50"),
        notes="Brings a dog",
        client_id=1,
        rental_id=1,
        source_id=2,
    )
    await rows.add(
        "bookings",
        id=2,
        reference=rows.named("B2"),
        status="CANCELED",
        start_at=at(20, 15),
        end_at=at(22, 10),
        final_price=Decimal("0.0000001"),
        canceled_at=at(9, 8, 7),
    )
    await rows.add(
        "bookings", id=3, reference=rows.named("B3"), status="TENTATIVE", start_at=at(25, 15), end_at=at(28, 10)
    )


async def _store_conversations(rows: _Rows) -> None:
    """The first one with all values, the second with none, the third by an unknown actor."""
    await rows.add(
        "conversations",
        id=1,
        subject=rows.named("Arrival"),
        assignee_id=1,
        source_id=2,
        default_channel="AIRBNB",
        closed_at=at(8),
        deadline_response_at=at(7),
        last_message_at=at(6, 12, 250),
        read_at=at(6, 13),
        updated_at=at(8),
        **_by_application(1),
    )
    await rows.add("conversations", id=2)
    await rows.add(
        "conversations",
        id=3,
        subject=rows.named("Win a prize"),
        last_message_at=at(5),
        read_at=at(4),
        marked_as_spam_at=at(5, 13),
        updated_at=at(5, 13),
        **_by_user(77, known=False),
    )
    await rows.add("conversations", id=4, assignee_id=2, default_channel="EMAIL", updated_at=at(3), **_by_user(1))
    for conversation, booking in ((1, 1), (1, 2), (4, 1)):
        await rows.add("conversation_bookings", conversation_id=conversation, booking_id=booking)


async def _store_inquiries(rows: _Rows) -> None:
    await rows.add(
        "inquiries",
        id=1,
        firstname="Ina",
        lastname=rows.named("Inquirer"),
        email="ina@example.com",
        phone="+351 2",
        message="Is there a pool?",
        adults=2,
        children=0,
        start_at=at(10, 15),
        end_at=at(17, 10),
        conversation_id=1,
        booking_id=1,
        rental_id=1,
        source_id=1,
    )
    await rows.add("inquiries", id=2, firstname="Ivo", lastname=rows.named("Inquirer"), email="ivo@example.com")


async def _store_participants(rows: _Rows) -> None:
    """A client, a host who is a participant twice, and clients and hosts that are not stored."""
    client, host = {"member_type": "CLIENT"}, {"member_type": "HOST"}
    written, read = {"last_message_sent_at": at(6)}, {"read_at": at(6, 13)}
    await rows.add("participants", id=1, conversation_id=1, member_id=1, client_id=1, **client, **written)
    await rows.add("participants", id=2, conversation_id=1, member_id=1, host_id=1, **host, **read)
    await rows.add("participants", id=3, conversation_id=1, member_id=1, host_id=1, **host)
    await rows.add("participants", id=4, conversation_id=3, member_id=88, **client)
    await rows.add("participants", id=5, conversation_id=4, member_id=99, **host)


async def _store_messages(rows: _Rows) -> None:
    """Sent in another order than that of their ids, two of them at the same time."""
    external, internal = {"visibility": "EXTERNAL"}, {"visibility": "INTERNAL"}
    airbnb = {"channel": "AIRBNB", "origin": "AIRBNB_MESSAGE"}
    inbox = {"origin": "BOOKINGSYNC_INBOX"}
    first = {"conversation_id": 1}
    await rows.add(
        "messages",
        id=1,
        sender_id=2,
        content=rows.named("Sure"),
        sent_at=at(6, 12, 250),
        delivery_state="SENT",
        delivery_at=at(6, 13),
        delivery_attempts=1,
        relayed_id="abnb-1",
        relayed_by_id=1,
        **first,
        **inbox,
        **external,
        **_by_user(2),
    )
    await rows.add(
        "messages",
        id=2,
        sender_id=1,
        content=rows.named("May we come early?"),
        sent_at=at(5),
        **first,
        **airbnb,
        **external,
        **_by_application(1),
    )
    await rows.add(
        "messages",
        id=3,
        sender_id=3,
        content=rows.named("Ask the cleaner"),
        sent_at=at(5),
        **first,
        **inbox,
        **internal,
        **_by_application(66, known=False),
    )
    await rows.add(
        "messages",
        id=4,
        conversation_id=3,
        sender_id=4,
        content=rows.named("You won"),
        origin="EMAIL",
        sent_at=at(5),
        **external,
    )


async def _store_webhooks(rows: _Rows) -> None:
    """Two endpoints: one with deliveries in each state, and one that the server disabled, without any."""
    await rows.add(
        "webhook_endpoints",
        id=1,
        url=f"https://hooks.example/{rows.account}",
        events=["MESSAGE_OUTGOING", "MESSAGE_CREATED"],
        scopes=["clients_read", "inbox_read"],
        document_id="reply",
        previous_secret=b"encrypted",
        previous_secret_until=at(3),
        **_by_user(1),
    )
    await rows.add("webhook_endpoints", id=2, enabled=False, disabled_reason=rows.named("Gone"), **_by_application(1))
    sent = {"endpoint_id": 1, "created_at": at(5), "event": "MESSAGE_OUTGOING"}
    await rows.add(
        "webhook_deliveries",
        id=1,
        message_id=rows.named("msg_1"),
        conversation_id=1,
        state="DELIVERED",
        attempt_count=2,
        finished_at=at(5, 13),
        **sent,
    )
    await rows.add(
        "webhook_deliveries",
        id=2,
        message_id=rows.named("msg_2"),
        conversation_id=1,
        state="FAILED",
        attempt_count=1,
        finished_at=at(5, 14),
        **sent,
    )
    await rows.add(
        "webhook_deliveries",
        id=3,
        message_id=rows.named("msg_3"),
        due_at=at(5),
        **(sent | {"event": "TEST"}),
    )
    await rows.add("webhook_attempts", id=1, delivery_id=1, number=1, at=at(5), error="No connection", duration_ms=7)
    await rows.add("webhook_attempts", id=2, delivery_id=1, number=2, at=at(5, 13), status=200, answer=rows.named("Ok"))
    await rows.add("webhook_attempts", id=3, delivery_id=2, number=1, at=at(5, 14), status=500)


async def _store_activities(rows: _Rows) -> None:
    """By users and applications, one of which is unknown; the last booking was deleted since."""
    first = {"conversation_id": 1}
    for id_, type_, day, values in (
        (1, "ASSIGNED", 3, {"assignee_id": 1, **_by_user(1)}),
        (2, "CLOSED", 4, _by_user(2)),
        (3, "REOPENED", 5, {"message_id": 2, **_by_application(1)}),
        (4, "BOOKING_CONNECTED", 6, {"booking_id": 1, **_by_user(1)}),
        (5, "BOOKING_DISCONNECTED", 6, {"booking_id": 404, **_by_application(66, known=False)}),
        (6, "CLOSED", 8, {}),
    ):
        await rows.add("activities", id=id_, type=type_, created_at=at(day), **first, **values)
