"""Conversations: their participants, the time of each message, and the resulting state.

Every time is between the conversation's creation and `now`; only deadlines and stays may be later.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from db.seed.dialogue import Cast, Line, Plot, guest_is_waiting, lines, subject
from db.seed.dice import Dice, Shares
from db.seed.guest import Guest, GuestBook, Question, SeedBooking
from db.seed.rows import DAY, HOUR, MINUTE, Rows, moment, moment_or_null
from db.seed.tenant import INBOX_APP, ROUTES, HostRow, RentalRow, Tenant
from db.seed.words import ARRIVALS
from db.tables import ActivityType, CreatorType, MemberType, MessageOrigin, MessageVisibility

# Messages of a conversation: 8.7 on average.
_LENGTHS = Shares({0: 2, 1: 6, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 8: 10, 10: 12, 12: 10, 15: 8, 18: 5, 22: 4, 28: 2, 30: 1})
# Participants of conversations with two messages or more; the others have one. 2.6 on average over all.
_SIZES = Shares({2: 42, 3: 35, 4: 12, 5: 3})
_BOOKINGS = Shares({0: 24, 1: 59, 2: 13, 3: 4})
_INQUIRIES = Shares({0: 86, 1: 13, 2: 1})
_ROUTES = Shares({place: route.weight for place, route in enumerate(ROUTES)})
_GAP_MINUTES = (1, 3, 8, 20, 45, 90, 200, 420, 720, 1_500, 4_000)
_PACE = 4 * MINUTE
_RESPONSE_HOURS = (6, 12, 24, 24, 48)

# Type, id, and the link to a user or to an application.
Creator = tuple[CreatorType | None, int | None, int | None, int | None]
_NOBODY: Creator = (None, None, None, None)


class SeedMember(NamedTuple):
    """A participant's row id, and its host; without one it is the conversation's guest."""

    id: int
    host: HostRow | None


class SeedMessage(NamedTuple):
    """A message's row id, and its time in milliseconds."""

    id: int
    time: int
    by_guest: bool


class Opening(NamedTuple):
    """How a conversation begins; `created` in milliseconds, `route` an index of `ROUTES`."""

    id: int
    created: int
    route: int
    guest: Guest
    bookings: Sequence[SeedBooking]
    rental: RentalRow
    members: tuple[SeedMember, ...]


class ThreadState(NamedTuple):
    """The state of a conversation; times in milliseconds."""

    last_message: int | None
    deadline: int | None
    read: int | None
    spam: int | None
    closed: int | None


class Desk:
    """Makes the conversations of one account, up to the moment `now` (milliseconds)."""

    def __init__(self, rows: Rows, dice: Dice, tenant: Tenant, now: int) -> None:
        self._rows = rows
        self._dice = dice
        self._tenant = tenant
        self._now = now
        self._guests = GuestBook(rows, dice, tenant, now)

    def forget(self) -> None:
        """Forget all guests so far: later conversations have others."""
        self._guests.forget()

    def converse(self, created: int) -> None:
        """Add a conversation opened at `created`, with its participants, messages, bookings and inquiries."""
        dice = self._dice
        # A conversation that has just begun cannot be long.
        length = min(_LENGTHS.draw(dice), 1 + (self._now - created) // _PACE)
        spam = length == 1 and dice.chance(0.3)
        opening = self._open(created, length, spam)
        cast = _cast(opening.members, self._tenant)
        plot = self._plot(opening, length, spam)
        written = lines(dice, plot, cast)
        sent = self._times(created, length)
        state = self._state(opening, sent, spam, guest_is_waiting(written, cast))
        assignee = self._put_conversation(opening, state, subject(dice, plot))
        asked = 0 if spam else self._inquire(opening, written)
        self._put_participants(opening, written, sent, state)
        messages = self._put_messages(opening, written, sent, asked > 0)
        self._put_activities(opening, state, assignee, messages)

    def _open(self, created: int, length: int, spam: bool) -> Opening:
        dice, rows = self._dice, self._rows
        route = _ROUTES.draw(dice)
        guest = self._guests.welcome(created)
        bookings = [] if spam else self._book(guest, route, created)
        rental = bookings[0].rental if bookings else dice.pick(self._tenant.rentals)
        size = _SIZES.draw(dice) if length > 1 else 1
        hosts: list[HostRow | None] = [None, *dice.sample(self._tenant.hosts, min(size - 1, len(self._tenant.hosts)))]
        guest_and_first_host, others = hosts[:2], hosts[2:]
        if others and dice.chance(0.04):
            others[-1] = dice.pick(guest_and_first_host)
        members = tuple(SeedMember(rows.new_id("participants"), host) for host in guest_and_first_host + others)
        return Opening(rows.new_id("conversations"), created, route, guest, bookings, rental, members)

    def _book(self, guest: Guest, route: int, created: int) -> list[SeedBooking]:
        dice = self._dice
        count = _BOOKINGS.draw(dice)
        # A returning guest often writes about a booking that already has a conversation.
        bookings = guest.bookings[-1:] if count and dice.chance(0.5) else []
        while len(bookings) < count:
            later = dice.below(min(30 * DAY, self._now - created)) if bookings else 0
            bookings.append(self._guests.book(guest, route, created + later))
        return bookings

    def _plot(self, opening: Opening, length: int, spam: bool) -> Plot:
        dice, bookings = self._dice, opening.bookings
        day = moment(bookings[0].stay.start if bookings else opening.created + 3 * DAY)
        guest = opening.guest
        facts = {
            "guest": guest.family if guest.language.locale == "ja" else guest.given,
            "rental": opening.rental.name,
            "city": opening.rental.city,
            "reference": bookings[0].reference if bookings else "the booking",
            "time": dice.pick(ARRIVALS),
            "day": f"{day:%d/%m}",
            "code": f"{dice.below(10_000):04d}",
        }
        canceled = bool(bookings) and bookings[0].canceled
        return Plot(length, spam, bool(bookings), canceled, guest.language, facts)

    def _times(self, created: int, length: int) -> list[int]:
        """The time of each message, ascending and without repeats; the first opens the conversation."""
        dice = self._dice
        gaps = [dice.pick(_GAP_MINUTES) * MINUTE + dice.below(MINUTE) for _ in range(length - 1)]
        # In a young conversation the messages are moved closer together, so that all are before now.
        pressed = min(1.0, 0.9 * (self._now - created) / max(sum(gaps), 1))
        sent = [created] if length else []
        for gap in gaps:
            sent.append(sent[-1] + max(1, int(gap * pressed)))
        return sent

    def _state(self, opening: Opening, sent: list[int], spam: bool, waiting: bool) -> ThreadState:
        dice, now = self._dice, self._now
        last = sent[-1] if sent else opening.created
        age = now - last
        deadline = None
        if dice.chance(0.8 if waiting else 0.1):
            deadline = last + dice.pick(_RESPONSE_HOURS) * HOUR
        unread, reread = (0.25, 0.25) if age < 4 * DAY else (0.04, 0.05)
        read: int | None = self._after(last)
        if dice.chance(unread):
            read = None
        elif len(sent) > 1 and dice.chance(reread):
            read = sent[-2]
        marked = self._after(last) if spam else None
        closed_share = 0.06 if age < 3 * DAY else 0.4 if age < 30 * DAY else 0.85
        closed = self._after(last) if dice.chance(closed_share) else None
        return ThreadState(sent[-1] if sent else None, deadline, read, marked, closed)

    def _after(self, then: int) -> int:
        """A time within a week after `then`, at the latest now."""
        return then + self._dice.below(min(7 * DAY, self._now - then) + 1)

    def _inquire(self, opening: Opening, written: list[Line]) -> int:
        """Add the conversation's inquiries and sometimes one of no conversation; return the number of the former."""
        dice = self._dice
        text = written[0].text if written else ""
        count = _INQUIRIES.draw(dice)
        for nth in range(count):
            became = opening.bookings[nth] if nth < len(opening.bookings) and dice.chance(0.6) else None
            rental = became.rental if became else opening.rental
            question = Question(opening.created, opening.route, text, rental, became, opening.id)
            self._guests.ask(opening.guest, question)
        if dice.chance(0.02):
            rental = dice.pick(self._tenant.rentals)
            self._guests.ask(opening.guest, Question(opening.created, opening.route, text, rental, None, None))
        return count

    def _put_conversation(self, opening: Opening, state: ThreadState, title: str | None) -> HostRow | None:
        """Add the conversation with its bookings; return its assignee."""
        dice, tenant = self._dice, self._tenant
        changes = [time for time in (state.last_message, state.read, state.spam, state.closed) if time is not None]
        connected = [booking.created for booking in opening.bookings]
        updated = max(opening.created, *changes, *connected) if changes or connected else opening.created
        hosts = [member.host for member in opening.members if member.host]
        assignee = dice.pick(hosts) if hosts and dice.chance(0.75) else None
        route = ROUTES[opening.route]
        self._rows.put(
            "conversations",
            tenant.account_id,
            opening.id,
            title,
            assignee.id if assignee else None,
            tenant.source_ids[opening.route] if dice.chance(0.96) else None,
            route.channel if dice.chance(0.95) else None,
            *self._creator(route.application),
            moment_or_null(state.closed),
            moment_or_null(state.deadline),
            moment_or_null(state.last_message),
            moment_or_null(state.spam),
            moment_or_null(state.read),
            moment(opening.created),
            moment(updated),
        )
        for booking in opening.bookings:
            self._rows.put("conversation_bookings", tenant.account_id, opening.id, booking.id)
        return assignee

    def _creator(self, application_id: int) -> Creator:
        """The creator of a conversation: mostly the channel's application, sometimes a user, rarely unknown."""
        dice = self._dice
        if dice.chance(0.8):
            return _by_application(application_id)
        host = dice.pick(self._tenant.hosts)
        return _NOBODY if host.user_id is None else _by_user(host.user_id)

    def _put_participants(self, opening: Opening, written: list[Line], sent: list[int], state: ThreadState) -> None:
        last_sent: dict[int, int] = {line.speaker: time for line, time in zip(written, sent, strict=True)}
        for place, member in enumerate(opening.members):
            host = member.host
            last = last_sent.get(place)
            # The first host read when the account did. Half of the others read after the last message, the rest never.
            read = state.read if place == 1 else self._after(sent[-1]) if sent and self._dice.chance(0.5) else None
            updated = max(time for time in (opening.created, last, read) if time is not None)
            self._rows.put(
                "participants",
                self._tenant.account_id,
                member.id,
                opening.id,
                MemberType.HOST if host else MemberType.CLIENT,
                host.id if host else opening.guest.id,
                None if host else opening.guest.id,
                host.id if host else None,
                moment_or_null(read),
                moment_or_null(last),
                moment(opening.created),
                moment(updated),
            )

    def _put_messages(self, opening: Opening, written: list[Line], sent: list[int], asked: bool) -> list[SeedMessage]:
        """Add the messages and return them."""
        messages = []
        pick, add, account_id = self._dice.pick, self._rows.add, self._tenant.account_id
        route = ROUTES[opening.route]
        for place, (line, time) in enumerate(zip(written, sent, strict=True)):
            member = opening.members[line.speaker]
            if member.host is None:
                creator = _by_application(route.application)
                origin = MessageOrigin.INQUIRY if asked and place == 0 else pick(route.origins)
            else:
                user_id = member.host.user_id
                creator = _by_application(INBOX_APP) if user_id is None else _by_user(user_id)
                origin = MessageOrigin.BOOKINGSYNC_INBOX
            visibility = MessageVisibility.INTERNAL if line.internal else MessageVisibility.EXTERNAL
            channel = None if line.internal else route.channel
            when = moment(time)
            id_ = add(
                "messages",
                account_id,
                opening.id,
                member.id,
                line.text,
                channel,
                origin,
                visibility,
                when,
                *creator,
                when,
                when,
            )
            messages.append(SeedMessage(id_, time, by_guest=member.host is None))
        return messages

    def _put_activities(
        self, opening: Opening, state: ThreadState, assignee: HostRow | None, messages: Sequence[SeedMessage]
    ) -> None:
        """Add what was done to the conversation. Every seventh was closed once, and reopened by a guest's message."""
        route = _by_application(ROUTES[opening.route].application)
        host = assignee or self._tenant.hosts[0]
        user = _by_application(INBOX_APP) if host.user_id is None else _by_user(host.user_id)
        type_ = ActivityType
        acts: list[tuple[int, ActivityType, Creator, int | None, int | None, int | None]] = [
            (max(opening.created, booking.created), type_.BOOKING_CONNECTED, route, None, booking.id, None)
            for booking in opening.bookings
        ]
        if assignee is not None:
            acts.append((opening.created, type_.ASSIGNED, user, assignee.id, None, None))
        later = [pair for pair in pairwise(messages) if pair[1].by_guest and pair[1].time - pair[0].time > 1]
        if later and opening.id % 7 == 0:
            earlier, message = later[-1]
            acts.append((earlier.time + 1, type_.CLOSED, user, None, None, None))
            acts.append((message.time, type_.REOPENED, route, None, None, message.id))
        if state.spam is not None:
            acts.append((state.spam, type_.MARKED_AS_SPAM, user, None, None, None))
        if state.closed is not None:
            acts.append((state.closed, type_.CLOSED, user, None, None, None))
        for time, done, creator, *links in sorted(acts, key=itemgetter(0)):
            self._rows.add("activities", self._tenant.account_id, opening.id, done, moment(time), *creator, *links)


def _cast(members: tuple[SeedMember, ...], tenant: Tenant) -> Cast:
    """The speakers. If no host is a participant, guests write to the account's first host, with the index -1."""
    names = {place: member.host.firstname for place, member in enumerate(members) if member.host}
    names[-1] = tenant.hosts[0].firstname
    guests = tuple(place for place, member in enumerate(members) if member.host is None)
    return Cast(guests, tuple(place for place in names if place >= 0), names)


def _by_application(application_id: int) -> Creator:
    return CreatorType.APPLICATION, application_id, None, application_id


def _by_user(user_id: int) -> Creator:
    return CreatorType.USER, user_id, user_id, None
