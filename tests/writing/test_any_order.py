"""Events in any order: stored and derived values, filters, orders and counts equal a second implementation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from db import tables as t
from gql.fields.node import encode_id
from tests.oracles import answers
from tests.oracles.inbox import Act, Inbox, Thread, Written, stored_acts
from tests.oracles.recomputation import last_sent
from tests.support import world
from tests.support.client import Client
from tests.support.factories import MOMENT
from tests.support.importing import Imported, import_pages, record
from tests.support.place import Place
from tests.support.replying import shown
from tests.support.world import CONVERSATION, OTHER_CONVERSATION

# Above the ids of the sequence, which moves past imported ids.
IMPORTED = 1_000_000
MOST_THREADS = 4
BOOKINGS = (world.BOOKING, world.OTHER_BOOKING, world.FREE_BOOKING)
# Days from now on which stays begin and end, none of them today.
STAYS = ((-9, -5), (-3, 3), (4, 9))

# Most of it happens in one conversation.
PLACES = st.sampled_from([0, 0, 0, 1, 1, 2, 3])
SOME = st.sets(st.integers(0, 5), max_size=3)
MAYBE = st.none() | st.booleans()
DELAYS = st.sampled_from([timedelta(0), timedelta(milliseconds=1), timedelta(hours=1), timedelta(hours=20)])
# The time between sending and delivery of a message; None is omitted, and one is in the future.
AGES = st.sampled_from([None, None, timedelta(minutes=-4), timedelta(0), timedelta(hours=1), timedelta(days=3)])
# Hours ago; none at all; and within the last second.
HOURS = st.sampled_from([0, 1, 48])
MOMENTS = st.sampled_from([None, None, 0, 1, 48])
# The times of a conversation's record, by their names in the wire format.
WIRE = ("closed_at", "marked_as_spam_at", "read_at", "deadline_response_at")


@pytest.fixture
def place(shared_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The application for all examples, with a clock that rules move."""
    place = Place(shared_dsn, tmp_path)
    monkeypatch.setattr("db.queries.writing.now", lambda: place.now)
    yield place
    place.close()


@dataclass(frozen=True)
class Letter:
    """A message to be written, so much later than the event before, at the age at which it is delivered."""

    whose: str
    delay: timedelta
    age: timedelta | None
    internal: bool
    automatic: bool


LETTERS = st.builds(
    Letter,
    whose=st.sampled_from(["guest", "guest", "user", "application"]),
    delay=DELAYS,
    age=AGES,
    internal=st.sampled_from([False, False, False, True]),
    automatic=st.sampled_from([False, False, False, False, True]),
)


class Events(RuleBasedStateMachine):
    """A small inbox, and events."""

    place: Place

    @initialize()
    def begin(self) -> None:
        """Two conversations without messages."""
        # Some deadlines have passed, and some have not.
        self.place.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2, minutes=30)
        self.place.run(self.place.fill())
        threads = [
            Thread(CONVERSATION, MOMENT, bookings={*BOOKINGS[:2]}, guests=[world.CLIENT_PARTICIPANT]),
            Thread(OTHER_CONVERSATION, MOMENT),
        ]
        self.inbox = Inbox({thread.id: thread for thread in threads}, {*BOOKINGS}, {world.INQUIRY: CONVERSATION})
        self.hosts = {CONVERSATION: world.HOST_PARTICIPANT}
        self.texts = ["keys", "clara", "zoe", "ina", *(f"ref{booking}" for booking in BOOKINGS)]
        self.imports = 0

    def mutate(self, client: Client, field: str, code: str | None = None, /, **input: Any) -> int | None:
        """Execute a mutation, or assert that it is rejected with this code; return the written id."""
        type_ = f"{field[0].upper()}{field[1:]}Input"
        kind = {"createMessage": "message", "addParticipant": "participant", "updateConversations": "conversations"}
        payload = f"it: {kind.get(field, 'conversation')} {{ databaseId }} userErrors {{ code }}"
        document = f"mutation($i: {type_}!) {{ it: {field}(input: $i) {{ {payload} }} }}"
        data = self.place.run(client.data(document, i=input))["it"]
        assert [error["code"] for error in data["userErrors"]] == ([code] if code else [])
        return int(data["it"]["databaseId"]) if isinstance(data["it"], dict) else None

    def thread(self, place: int) -> Thread:
        """One of the conversations."""
        threads = list(self.inbox.threads.values())
        return threads[place % len(threads)]

    def text(self, kind: str) -> str:
        """A unique word."""
        self.texts.append(f"{kind}{len(self.texts)}x")
        return self.texts[-1]

    def guest(self, thread: Thread, client: int = world.CLIENT) -> int:
        """The participant who is a guest of the conversation; added if there is none."""
        if not thread.guests:
            ids = {"conversationId": there(thread), "memberId": encode_id(t.Client, 1, client)}
            thread.guests.append(self.mutate(self.place.channel, "addParticipant", **ids) or 0)
            thread.touch(self.place.now)
        return thread.guests[-1]

    @rule(user=st.booleans(), closed=st.booleans(), due=st.booleans(), channel=st.booleans(), some=SOME)
    def create(self, *, user: bool, closed: bool, due: bool, channel: bool, some: set[int]) -> None:
        """Create a conversation."""
        if len(self.inbox.threads) == MOST_THREADS:
            return
        now, ids = self.place.now, self.chosen(self.inbox.bookings, some)
        deadline = now + timedelta(hours=30) if due else None
        id_ = self.mutate(
            self.place.user if user else self.place.channel,
            "createConversation",
            subject=self.text("subject"),
            closed=closed,
            bookingIds=bookings(ids),
            defaultChannel="AIRBNB" if channel else None,
            deadlineResponseAt=deadline and shown(deadline),
        )
        assert id_ is not None
        ended = now if closed else None
        thread = Thread(id_, now, bookings=ids, has_channel=channel, closed_at=ended, ended_at=ended)
        thread.deadline = None if closed else deadline
        thread.read_at = now if user else None
        thread.acts = [Act("CLOSED", now, user)] if closed else []
        thread.acts += [Act("BOOKING_CONNECTED", now, user, booking=booking) for booking in sorted(ids)]
        self.inbox.threads[id_] = thread

    @rule(place=PLACES, letters=st.lists(LETTERS, min_size=1, max_size=5))
    def write(self, place: int, letters: list[Letter]) -> None:
        """Messages of one conversation are written, or delivered, perhaps late."""
        for letter in letters:
            self.place.now += letter.delay
            self.write_one(self.thread(place), letter)
            self.compare_states()

    def write_one(self, thread: Thread, letter: Letter) -> None:
        """A message is written; or rejected, where it would go nowhere."""
        user = letter.whose == "user"
        by_guest = letter.whose == "guest" or (not user and thread.id not in self.hosts)
        internal = letter.internal and not by_guest
        sender = self.guest(thread) if by_guest else self.hosts.get(thread.id)
        sent_at = None if letter.age is None else self.place.now - letter.age
        refused = not (by_guest or internal or thread.has_channel) and thread.guests
        id_ = self.mutate(
            self.place.user if user else self.place.channel,
            "createMessage",
            "BLANK" if refused else None,
            conversationId=there(thread),
            content=self.text("word"),
            senderId=encode_id(t.Participant, 1, sender) if sender else None,
            sentAt=sent_at and shown(sent_at),
            visibility="INTERNAL" if internal else "EXTERNAL",
            automatic=letter.automatic,
        )
        if not refused:
            assert id_ is not None
            message: dict[str, Any] = {"by_guest": by_guest, "internal": internal, "automatic": letter.automatic}
            thread.write(self.place.now, id_, user=user, sent_at=sent_at, **message)

    @rule(place=PLACES, delay=DELAYS, closed=MAYBE, spam=MAYBE, late=st.sampled_from([None, None, 0, 1]))
    def update(self, place: int, delay: timedelta, closed: bool | None, spam: bool | None, late: int | None) -> None:
        """Close, open, mark as spam or not, possibly with `ifUnchangedSince` of an older state."""
        self.place.now += delay
        thread = self.thread(place)
        seen = late is not None and thread.updated_at - late * timedelta(milliseconds=1)
        changes = {"closed": closed, "markedAsSpam": spam}
        given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        given |= {"ifUnchangedSince": shown(seen)} if seen else {}
        refused = "CONFLICT" if late else None
        self.mutate(self.place.user, "updateConversation", refused, conversationId=there(thread), **given)
        if not refused:
            thread.update(self.place.now, closed=closed, spam=spam)

    @rule(place=PLACES, delay=DELAYS)
    def close_while_away(self, place: int, delay: timedelta) -> None:
        """A guest's out-of-office message arrives in a closed conversation, which is then opened by hand."""
        self.update(place, delay, closed=True, spam=False, late=None)
        self.compare_states()
        letter = Letter("guest", timedelta(seconds=1), None, internal=False, automatic=True)
        self.write(place, [letter])
        self.update(place, delay, closed=False, spam=None, late=None)

    @rule(delay=DELAYS, some=SOME, closed=st.booleans(), host=st.sampled_from([None, world.HOST, world.OTHER_HOST]))
    def update_several(self, delay: timedelta, some: set[int], host: int | None, *, closed: bool) -> None:
        """Close or open several conversations, and assign them."""
        self.place.now += delay
        threads = {thread.id: thread for thread in map(self.thread, sorted(some))}.values()
        if threads:
            ids = [there(thread) for thread in threads]
            assignee = host and encode_id(t.Host, 1, host)
            self.mutate(self.place.user, "updateConversations", conversationIds=ids, closed=closed, assigneeId=assignee)
        for thread in threads:
            thread.update(self.place.now, closed=closed, assignee=host)

    @rule(place=PLACES, delay=DELAYS, read=st.booleans())
    def read(self, place: int, delay: timedelta, *, read: bool) -> None:
        """Mark a conversation as read or unread."""
        self.place.now += delay
        thread = self.thread(place)
        self.mutate(self.place.user, "markConversationRead", conversationId=there(thread), read=read)
        (thread.read if read else thread.mark_unread)(self.place.now)

    @rule(place=PLACES, message=st.integers(0, 20), other=st.sampled_from([0, 0, 0, 1]))
    def read_up_to(self, place: int, message: int, other: int) -> None:
        """Mark it as read up to a message; one of another conversation is rejected."""
        thread = self.thread(place)
        whose = self.thread(place + other)
        if not whose.messages:
            return
        up_to = whose.messages[message % len(whose.messages)]
        refused = "NOT_FOUND" if whose is not thread else None
        ids = {"conversationId": there(thread), "upToMessageId": encode_id(t.Message, 1, up_to.id)}
        self.mutate(self.place.user, "markConversationRead", refused, **ids)
        if not refused:
            thread.read(self.place.now, up_to=up_to)

    @rule(place=PLACES, some=SOME, connected=st.booleans())
    def connect(self, place: int, some: set[int], *, connected: bool) -> None:
        """Connect or disconnect bookings."""
        thread, ids = self.thread(place), self.chosen(self.inbox.bookings, some)
        if ids:
            field = "connectBookings" if connected else "disconnectBookings"
            self.mutate(self.place.user, field, conversationId=there(thread), bookingIds=bookings(ids))
            thread.connect(self.place.now, ids, connected=connected)

    @staticmethod
    def chosen(ids: set[int], some: set[int]) -> set[int]:
        """Some of the ids."""
        return {id_ for place, id_ in enumerate(sorted(ids)) if place in some}

    def give(self, **page: Any) -> Imported:
        """Import a page."""
        file = self.place.folder / "page.json"
        file.write_text(json.dumps(page))
        report: Imported = self.place.run(import_pages(self.place.connection, [file]))
        return report

    def number(self) -> int:
        """An id for an imported record."""
        self.imports += 1
        return IMPORTED * self.imports

    def ago(self, hours: int | None) -> datetime | None:
        """The time that many hours ago, in the format of imports."""
        return None if hours is None else self.place.now.replace(microsecond=0) - timedelta(hours=hours)

    @rule(place=PLACES, by_guest=st.booleans(), arrived=HOURS, sent=HOURS, internal=st.booleans())
    def import_message(self, place: int, arrived: int, sent: int, *, by_guest: bool, internal: bool) -> None:
        """Import a message without its conversation, and without its participant if that exists."""
        thread, id_ = self.thread(place), self.number()
        page: dict[str, Any] = {}
        if by_guest and not thread.guests:
            thread.guests.append(id_)
            page["participants"] = [participant(id_, thread, world.CLIENT, "Client")]
        if not by_guest and thread.id not in self.hosts:
            self.hosts[thread.id] = id_
            page["participants"] = [participant(id_, thread, world.HOST, "Host")]
        sender = thread.guests[-1] if by_guest else self.hosts[thread.id]
        internal = internal and not by_guest
        message = record("messages", id_, links={"conversation": thread.id, "sender": sender})
        stamps = {"created_at": wire(self.ago(arrived)), "updated_at": wire(self.ago(arrived))}
        message |= stamps | {"sent_at": wire(self.ago(sent)), "content": self.text("word")}
        message |= {"visibility": "internal" if internal else "external"}
        assert self.give(messages=[message], **page).imported["messages"] == 1
        sent_at, arrived_at = self.ago(sent), self.ago(arrived)
        assert sent_at is not None
        assert arrived_at is not None
        thread.messages.append(Written(id_, by_guest, sent_at, arrived_at, internal))

    @rule(place=PLACES, client=st.sampled_from([world.CLIENT, 9]))
    def import_participant(self, place: int, client: int) -> None:
        """Import a client as a participant, possibly a second time."""
        thread, id_ = self.thread(place), self.number()
        assert self.give(participants=[participant(id_, thread, client, "Client")]).imported == {"participants": 1}
        thread.guests.append(id_)

    @rule(
        place=PLACES,
        new=st.booleans(),
        updated=st.sampled_from([0, 0, 48]),
        moments=st.tuples(MOMENTS, MOMENTS, MOMENTS, MOMENTS),
        some=SOME,
        inquiries=SOME,
    )
    def import_conversation(  # noqa: PLR0913, PLR0917  # what a conversation's record is made of
        self,
        place: int,
        new: bool,
        updated: int,
        moments: Sequence[int | None],
        some: set[int],
        inquiries: set[int],
    ) -> None:
        """Import a conversation: a new one, a newer or an older one, with its links."""
        new = new and len(self.inbox.threads) < MOST_THREADS
        thread = None if new else self.thread(place)
        id_ = self.number() if thread is None else thread.id
        linked = self.chosen(self.inbox.bookings, some), self.chosen({*self.inbox.inquiries}, inquiries)
        columns = ("closed_at", "spam_at", "read_at", "deadline")
        given: dict[str, Any] = dict(zip(columns, map(self.ago, moments), strict=True))
        updated_at = self.ago(updated)
        assert updated_at is not None
        page = record("conversations", id_, links={"bookings": sorted(linked[0]), "inquiries": sorted(linked[1])})
        page |= {name: moment and wire(moment) for name, moment in zip(WIRE, given.values(), strict=True)}
        page |= {"created_at": wire(MOMENT), "updated_at": wire(updated_at), "default_channel": "airbnb"}
        self.give(conversations=[page | {"subject": self.text("subject")}])
        self.inbox.record(id_, updated_at, *linked, **given)

    @rule(some=st.integers(0, 5), status=st.sampled_from(["Booked", "Canceled", "Locked"]), stay=st.sampled_from(STAYS))
    def import_booking(self, some: int, status: str, stay: tuple[int, int]) -> None:
        """Import a new or newer booking."""
        known = sorted(self.inbox.bookings)
        id_ = known[some] if some < len(known) else self.number()
        start, end = (datetime.now(UTC) + timedelta(days=days) for days in stay)
        booking = record("bookings", id_, reference=self.text("ref"), status=status, links={"client": world.CLIENT})
        booking |= {"start_at": wire(start), "end_at": wire(end), "updated_at": wire(self.later())}
        assert self.give(bookings=[booking]).imported == {"bookings": 1}
        self.inbox.bookings.add(id_)

    @rule(some=st.integers(0, 4))
    def import_inquiry(self, some: int) -> None:
        """Import a new or newer inquiry. Its conversation is in the conversation's record."""
        known = sorted(self.inbox.inquiries)
        id_ = known[some] if some < len(known) else self.number()
        inquiry = record("inquiries", id_, links={"rental": world.RENTAL}, email=f"{self.text('mail')}@guest.example")
        assert self.give(inquiries=[inquiry | {"updated_at": wire(self.later())}]).imported == {"inquiries": 1}
        self.inbox.inquiries.setdefault(id_, None)

    @rule(some=st.integers(0, 4))
    def import_claims(self, some: int) -> None:
        """Import an inquiry with a new address, and the records of two conversations that claim it, the last id first.

        It belongs to the first id, so the other conversation is not found by the address any more.
        """
        # The place of a known one among the ids, or of a new one, whose id is the highest.
        claimed = {min(some, len(self.inbox.inquiries))}
        self.import_inquiry(some)
        ids = list(self.inbox.threads)
        for place in (ids.index(max(ids)), ids.index(min(ids))):
            # Newer than what is stored.
            self.place.now += timedelta(seconds=1)
            self.import_conversation(place, False, 0, (None,) * 4, set(), claimed)  # noqa: FBT003  # not a new one

    def later(self) -> datetime:
        """A time later than that of all earlier records of this kind."""
        self.imports += 1
        return MOMENT + timedelta(minutes=self.imports)

    @rule(some=SOME, inquiries=SOME)
    def import_deletions(self, some: set[int], inquiries: set[int]) -> None:
        """Import deletions of bookings or inquiries."""
        gone = self.chosen(self.inbox.bookings, some), self.chosen({*self.inbox.inquiries}, inquiries)
        for kind, ids in zip(("bookings", "inquiries"), gone, strict=True):
            if ids:
                assert self.give(**{kind: [], "meta": {"deleted_ids": sorted(ids)}}).deleted == {kind: len(ids)}
        for booking in gone[0]:
            self.inbox.delete_booking(booking)
        for inquiry in gone[1]:
            del self.inbox.inquiries[inquiry]

    def compare_states(self) -> None:
        """Compare the columns of all conversations."""
        rows = self.place.run(self.place.connection.fetch("SELECT * FROM conversations"))
        stored = {row["id"]: row for row in rows}
        assert stored.keys() == self.inbox.threads.keys()
        for id_, thread in self.inbox.threads.items():
            state = thread.state()
            assert {name: stored[id_][name] for name in state} == state

    @invariant()
    def it_is_as_the_second_implementation_says(self) -> None:
        """Compare all columns, links, fields, filters, orders and counts."""
        self.compare_states()
        rows = self.place.run(world.dump(self.place.connection))
        assert {row["id"]: row["conversation_id"] for row in rows["inquiries"]} == self.inbox.inquiries
        links = {(row["conversation_id"], row["booking_id"]) for row in rows["conversation_bookings"]}
        assert links == {(id_, booking) for id_, thread in self.inbox.threads.items() for booking in thread.bookings}
        assert {id_: thread.acts for id_, thread in self.inbox.threads.items()} == stored_acts(rows)
        written = {row["id"]: row["last_message_sent_at"] for row in rows["participants"]}
        assert written == last_sent(rows)
        words = self.texts[-6:]
        assert self.place.run(answers.ask(self.place.user, rows, words)) == answers.expected(rows, world.USER, words)


def there(thread: Thread) -> str:
    """Its global id."""
    return encode_id(t.Conversation, 1, thread.id)


def bookings(ids: set[int]) -> list[str]:
    """Their global ids."""
    return [encode_id(t.Booking, 1, id_) for id_ in sorted(ids)]


def participant(id_: int, thread: Thread, member: int, type_: str) -> dict[str, Any]:
    """The record of a member who takes part."""
    return record("participants", id_, links={"conversation": thread.id, "member": {"id": member, "type": type_}})


def wire(moment: datetime | None) -> str:
    """A time in the wire format."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.slow
def test_events_in_any_order_leave_what_the_rules_say(place: Place) -> None:
    machine = type("Example", (Events,), {"place": place})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10,
            phases=[Phase.generate],
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
        ),
    )
