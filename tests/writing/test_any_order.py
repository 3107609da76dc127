"""Events in any order: what is stored, derived, found, ordered and counted is what a second implementation says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from db import tables as t
from gql.fields.node import encode_id
from tests.conftest import serving
from tests.oracles.filtering import matches
from tests.oracles.inbox import Thread, Written
from tests.oracles.recomputation import derived_columns
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.factories import MOMENT, derive_all
from tests.support.importing import import_pages, record
from tests.support.replying import shown
from tests.support.world import (
    APPLICATION,
    BOOKING,
    CLIENT_PARTICIPANT,
    CONVERSATION,
    FREE_BOOKING,
    HOST_PARTICIPANT,
    World,
)

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
THERE = encode_id(t.Conversation, 1, CONVERSATION)
GUEST, HOSTESS = (encode_id(t.Participant, 1, id_) for id_ in (CLIENT_PARTICIPANT, HOST_PARTICIPANT))
# Above the ids that the sequence gives: it moves past those that an import brings.
IMPORTED = 1_000_000
FILTERS: list[dict[str, Any]] = [
    {name: value}
    for name in ("needsReply", "read", "closed", "markedAsSpam", "overdue", "assigned")
    for value in (True, False)
]
COUNTS = {
    "open": {"closed": False, "markedAsSpam": False},
    "closed": {"closed": True},
    "spam": {"markedAsSpam": True},
    "unread": {"read": False},
    "needsReply": {"needsReply": True},
    "overdue": {"overdue": True},
}
DELAYS = st.sampled_from([timedelta(0), timedelta(milliseconds=1), timedelta(hours=1), timedelta(days=2)])
# How long before its delivery a message was sent; none is sent as it is delivered, and one is ahead.
AGES = st.one_of(st.none(), st.sampled_from([timedelta(minutes=-4), timedelta(0), timedelta(hours=1), timedelta(3)]))


class Place:
    """An application and a connection over one database, on a loop that rules can run something on."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.folder = folder
        self.now = START
        self._dsn = dsn
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.user, self.connection = self.run(self._open())
        self.channel = self.user.as_(1, f"application:{APPLICATION}")

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What comes of it."""
        return self._runner.run(work)

    async def _open(self) -> tuple[Client, asyncpg.Connection[Any]]:
        connection = await asyncpg.connect(self._dsn)
        self._stack.push_async_callback(connection.close)
        return await self._stack.enter_async_context(serving(self._dsn, Statements(), rate_limit=0)), connection

    def close(self) -> None:
        """Stop the application."""
        self.run(self._stack.aclose())
        self._runner.close()


@pytest.fixture
def place(shared_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The place where all examples happen, at a time that rules move."""
    place = Place(shared_dsn, tmp_path)
    monkeypatch.setattr("db.queries.writing.now", lambda: place.now)
    yield place
    place.close()


class Events(RuleBasedStateMachine):
    """One conversation of a small inbox, and what happens to it."""

    place: Place

    @initialize()
    def begin(self) -> None:
        """A conversation with a guest and a host, without messages."""
        place = self.place
        place.now = START
        self.thread = Thread(MOMENT, bookings={BOOKING, world.OTHER_BOOKING})
        self.imports = 0
        self.ids: list[int] = []

        async def fill() -> None:
            await World(place.user, place.connection).fill(1)
            await place.connection.execute("DELETE FROM messages")
            await place.connection.execute(
                "UPDATE conversations SET default_channel = 'EMAIL', last_message_at = NULL WHERE id = $1", CONVERSATION
            )
            await derive_all(place.connection)

        place.run(fill())

    def mutate(self, client: Client, field: str, **input: Any) -> int | None:
        """Carry out a mutation of the conversation; the id of a message that it wrote."""
        type_, kind = f"{field[0].upper()}{field[1:]}Input", "message" if field == "createMessage" else "conversation"
        payload = f"{kind} {{ databaseId }} userErrors {{ code }}"
        document = f"mutation($i: {type_}!) {{ it: {field}(input: $i) {{ {payload} }} }}"
        data = self.place.run(client.data(document, i={"conversationId": THERE, **input}))["it"]
        assert data["userErrors"] == []
        return int(data["message"]["databaseId"]) if kind == "message" else None

    @rule(
        delay=DELAYS,
        age=AGES,
        by_guest=st.booleans(),
        user=st.booleans(),
        internal=st.booleans(),
        automatic=st.booleans(),
    )
    def write(  # noqa: PLR0913  # what a message is made of
        self, delay: timedelta, age: timedelta | None, *, by_guest: bool, user: bool, internal: bool, automatic: bool
    ) -> None:
        """A message is written, or delivered, perhaps late."""
        self.place.now += delay
        user, internal = user and not by_guest, internal and not by_guest
        sent_at = None if age is None else self.place.now - age
        id_ = self.mutate(
            self.place.user if user else self.place.channel,
            "createMessage",
            content="Hello",
            senderId=GUEST if by_guest else HOSTESS,
            sentAt=None if sent_at is None else shown(sent_at),
            visibility="INTERNAL" if internal else "EXTERNAL",
            automatic=automatic,
        )
        assert id_ is not None
        self.ids.append(id_)
        self.thread.write(
            self.place.now,
            id_,
            user=user,
            sent_at=sent_at,
            by_guest=by_guest,
            internal=internal,
            automatic=automatic,
        )

    @rule(delay=DELAYS, closed=st.booleans())
    def close(self, delay: timedelta, *, closed: bool) -> None:
        """It is closed or opened by hand."""
        self.place.now += delay
        self.mutate(self.place.user, "updateConversation", closed=closed)
        self.thread.set_closed(self.place.now, closed=closed)

    @rule(delay=DELAYS, spam=st.booleans())
    def mark_as_spam(self, delay: timedelta, *, spam: bool) -> None:
        """It is marked as spam, or the mark is taken off."""
        self.place.now += delay
        self.mutate(self.place.user, "updateConversation", markedAsSpam=spam)
        self.thread.set_spam(self.place.now, spam=spam)

    @rule(read=st.booleans())
    def read(self, *, read: bool) -> None:
        """All of it is read, or none."""
        self.mutate(self.place.user, "markConversationRead", read=read)
        (self.thread.read if read else self.thread.mark_unread)(self.place.now)

    @rule(data=st.data())
    def read_up_to(self, data: st.DataObject) -> None:
        """It is read up to some message."""
        if self.thread.messages:
            message = data.draw(st.sampled_from(self.thread.messages))
            self.mutate(self.place.user, "markConversationRead", upToMessageId=encode_id(t.Message, 1, message.place))
            self.thread.read(self.place.now, up_to=message)

    @rule(booking=st.sampled_from([BOOKING, FREE_BOOKING]), connected=st.booleans())
    def connect(self, booking: int, *, connected: bool) -> None:
        """A booking is connected or disconnected."""
        field = "connectBookings" if connected else "disconnectBookings"
        self.mutate(self.place.user, field, bookingIds=[encode_id(t.Booking, 1, booking)])
        self.thread.set_booking(self.place.now, booking, connected=connected)

    @rule(by_guest=st.booleans(), arrived=st.sampled_from([0, 1, 48]), sent=st.sampled_from([0, 1, 72]))
    def import_message(self, arrived: int, sent: int, *, by_guest: bool) -> None:
        """An import brings a message that has arrived and was sent so many hours ago."""
        self.imports += 1
        id_ = IMPORTED * self.imports
        arrived_at, sent_at = (self._hours_ago(hours) for hours in (arrived, sent))
        sender = CLIENT_PARTICIPANT if by_guest else HOST_PARTICIPANT
        message = record("messages", id_, links={"conversation": CONVERSATION, "sender": sender})
        message |= dict.fromkeys(("created_at", "updated_at"), f"{arrived_at:%Y-%m-%dT%H:%M:%SZ}")
        message["sent_at"] = f"{sent_at:%Y-%m-%dT%H:%M:%SZ}"
        file = self.place.folder / "page.json"
        file.write_text(json.dumps({"messages": [message]}))
        report = self.place.run(import_pages(self.place.connection, [file]))
        assert report.imported == {"messages": 1}
        self.thread.messages.append(Written(id_, by_guest, sent_at, arrived_at))

    def _hours_ago(self, hours: int) -> datetime:
        return self.place.now.replace(microsecond=0) - timedelta(hours=hours)

    @invariant()
    def it_is_as_the_second_implementation_says(self) -> None:
        """All columns, filters, orders and counts."""
        rows = self.place.run(world.dump(self.place.connection))
        stored = {row["id"]: row for row in rows["conversations"]}
        state, derived = self.thread.state(), derived_columns(rows)
        assert {name: stored[CONVERSATION][name] for name in state} == state
        assert {id_: {name: row[name] for name in derived[id_]} for id_, row in stored.items()} == derived
        waits = self.thread.waits()
        assert derived[CONVERSATION]["unanswered_since"] == (waits[0].sent_at if waits else None)
        assert derived[CONVERSATION]["unread_count"] == self.thread.unread()
        links = {row["booking_id"] for row in rows["conversation_bookings"] if row["conversation_id"] == CONVERSATION}
        assert links == self.thread.bookings
        self._compare_answers(rows)

    def _compare_answers(self, rows: world.Dump) -> None:
        fields = [
            f"f{place}: conversations(filter: {{ {name}: {json.dumps(value)} }}) {{ nodes {{ databaseId }} }}"
            for place, filter_ in enumerate(FILTERS)
            for name, value in filter_.items()
        ]
        fields.append("o: conversations(orderBy: {field: WAITING_SINCE, direction: ASC}) { nodes { databaseId } }")
        fields.append(f"inboxCounts {{ {' '.join(COUNTS)} }}")
        data = self.place.run(self.place.user.data(f"{{ {' '.join(fields)} }}"))
        conversations = rows["conversations"]

        def found(filter_: dict[str, Any]) -> set[str]:
            return {str(row["id"]) for row in conversations if matches(rows, "conversations", row, filter_)}

        for place, filter_ in enumerate(FILTERS):
            assert {node["databaseId"] for node in data[f"f{place}"]["nodes"]} == found(filter_), filter_
        assert data["inboxCounts"] == {name: len(found(filter_)) for name, filter_ in COUNTS.items()}
        never = datetime.max.replace(tzinfo=UTC)
        ordered = sorted(conversations, key=lambda row: (row["waiting_since"] or never, row["id"]))
        assert [node["databaseId"] for node in data["o"]["nodes"]] == [str(row["id"]) for row in ordered]


@pytest.mark.slow
def test_events_in_any_order_leave_what_the_rules_say(place: Place) -> None:
    machine = type("Example", (Events,), {"place": place})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=5,
            phases=[Phase.generate],
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            database=None,
        ),
    )
