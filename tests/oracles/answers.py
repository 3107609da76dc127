"""What the API answers about an account's conversations, computed from its rows in plain Python.

Fields, filters, orders, counts and searches. Columns that the server derives are computed anew, whatever is stored.
Only stages are simpler than the rule: no booking may begin or end today.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from db import tables as t
from tests.oracles.filtering import matches, own
from tests.oracles.recomputation import derived_columns
from tests.support.client import Client
from tests.support.replying import shown
from tests.support.world import Dump, Rows

STAGES = ("INQUIRY", "RESERVED", "CHECK_IN_TODAY", "AT_PROPERTY", "CHECK_OUT_TODAY", "POST_STAY", "CANCELED")
ORDERS = ("CREATED_AT", "UPDATED_AT", "LAST_MESSAGE_AT", "DEADLINE_RESPONSE_AT", "WAITING_SINCE")
FIELDS = """databaseId subject closed closedAt markedAsSpam markedAsSpamAt read readAt unreadCount needsReply
waitingSince deadlineResponseAt lastMessageAt updatedAt stage lastMessage { databaseId } assignee { databaseId }
note: lastMessage(visibility: INTERNAL) { databaseId } guest { databaseId } booking { databaseId }
messages(first: 100) { nodes { databaseId } } participants(first: 100) { nodes { databaseId } }
bookings(first: 100) { nodes { databaseId } } inquiries(first: 100) { nodes { databaseId } }"""
# What serving these questions takes beyond the limits that clients have.
LIMITS = {"max_aliases": 1_000, "max_root_fields": 1_000, "max_cost": 10_000_000, "max_tokens": 100_000}
_OPEN = {"closed": False, "markedAsSpam": False}
_COUNTS: dict[str, dict[str, Any]] = {
    "open": _OPEN,
    "closed": {"closed": True},
    "spam": {"markedAsSpam": True},
    "unread": {"read": False},
    "unassigned": {"assigned": False},
    "needsReply": {"needsReply": True},
    "overdue": {"overdue": True},
    "undelivered": {"deliveryFailed": True},
}


async def ask(client: Client, rows: Dump, words: Sequence[str] = ()) -> dict[str, Any]:
    """What the API answers; `rows` and `words` say what it is asked about. A connection is its ids, in order."""
    given = {f"f{place}": filter_ for place, filter_ in enumerate(_filters(rows, words))}
    parts = [f"all: conversations(first: 100) {{ nodes {{ {FIELDS} }} }}"]
    parts += [f"{name}: conversations(first: 100, filter: ${name}) {{ totalCount {_IDS} }}" for name in given]
    for name, direction in _orders():
        order = f"{{ field: {name}, direction: {direction} }}"
        parts.append(f"{name}_{direction}: conversations(first: 100, orderBy: {order}) {{ {_IDS} }}")
    names = " ".join([*_COUNTS, "mine", *map(_camel, STAGES)])
    parts += [f"inboxCounts {{ {names} }}", f"n: inboxCounts(filter: $n) {{ {names} }}"]
    given["n"] = _OPEN
    declared = " ".join(f"${name}: ConversationFilter" for name in given)
    return _flat(await client.data(f"query ({declared}) {{ {' '.join(parts)} }}", **given))  # type: ignore[no-any-return]


_IDS = "nodes { databaseId }"


def expected(rows: Dump, user: int, words: Sequence[str] = ()) -> dict[str, Any]:
    """What it must answer a user, whose number is `user`."""
    rows = _as_derived(rows)
    conversations = _sorted(rows["conversations"], "last_message_at", descending=True)
    answers: dict[str, Any] = {"all": [_node(rows, row) for row in conversations]}
    for place, filter_ in enumerate(_filters(rows, words)):
        ids = [str(row["id"]) for row in conversations if _meets(rows, row, filter_)]
        answers[f"f{place}"] = {"totalCount": len(ids), "nodes": ids}
    for name, direction in _orders():
        ordered = _sorted(conversations, name.lower(), descending=direction == "DESC")
        answers[f"{name}_{direction}"] = [str(row["id"]) for row in ordered]
    everything = [row for row in conversations if _meets(rows, row, {})]
    answers["inboxCounts"] = _counts(rows, everything, user)
    answers["n"] = _counts(rows, [row for row in everything if _meets(rows, row, _OPEN)], user)
    return answers


def _filters(rows: Dump, words: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name in ("needsReply", "read", "closed", "markedAsSpam", "overdue", "assigned", "deliveryFailed"):
        yield {name: True}
        yield {name: False}
    yield _OPEN | {"needsReply": True}
    yield {"not": {"or": [{"read": True}, {"overdue": True}]}}
    yield from ({"stages": [stage]} for stage in STAGES)
    yield from ({"bookingStatuses": [status]} for status in ("BOOKED", "CANCELED", "LOCKED"))
    yield from ({"bookingIds": [own(t.Booking, row["id"])]} for row in rows["bookings"])
    yield from ({"inquiryIds": [own(t.Inquiry, row["id"])]} for row in rows["inquiries"])
    yield from ({"clientIds": [own(t.Client, row["id"])]} for row in rows["clients"])
    yield from ({"hostIds": [own(t.Host, row["id"])]} for row in rows["hosts"])
    # In quotes, none is the beginning of another.
    yield from ({"search": f'"{word}"'} for word in words)


def _orders() -> Iterator[tuple[str, str]]:
    return ((name, direction) for name in ORDERS for direction in ("ASC", "DESC"))


def _flat(value: Any) -> Any:
    """An answer with the ids of nodes in the nodes' place."""
    if isinstance(value, list):
        return [_flat(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() in ({"databaseId"}, {"nodes"}):
        return _flat(next(iter(value.values())))
    return {name: _flat(item) for name, item in value.items()}


def _as_derived(rows: Dump) -> Dump:
    derived = derived_columns(rows)
    return rows | {"conversations": [row | derived[row["id"]] for row in rows["conversations"]]}


def _node(rows: Dump, row: dict[str, Any]) -> dict[str, Any]:
    there = {
        name: [each for each in rows[name] if each["conversation_id"] == row["id"]]
        for name in ("messages", "participants", "inquiries")
    }
    messages = sorted(there["messages"], key=lambda each: (each["sent_at"], each["id"]))
    booking = deciding_booking(_bookings(rows, row))
    moments = {_camel(name): row[name] for name in ("closed_at", "marked_as_spam_at", "read_at", "waiting_since")}
    moments |= {_camel(name): row[name] for name in ("deadline_response_at", "last_message_at", "updated_at")}
    return {
        "databaseId": str(row["id"]),
        "subject": row["subject"],
        "closed": row["closed_at"] is not None,
        "markedAsSpam": row["marked_as_spam_at"] is not None,
        "read": row["read"],
        "unreadCount": row["unread_count"],
        "needsReply": row["waiting_since"] is not None,
        "stage": _stage(rows, row),
        "lastMessage": _last(messages),
        "note": _last([each for each in messages if each["visibility"] == "INTERNAL"]),
        "guest": _guest(rows, row),
        "booking": booking and str(booking["id"]),
        "assignee": row["assignee_id"] and str(row["assignee_id"]),
        **{name: moment and shown(moment) for name, moment in moments.items()},
        "messages": [str(each["id"]) for each in messages],
        "participants": [str(each["id"]) for each in there["participants"]],
        "bookings": [str(each["id"]) for each in _bookings(rows, row)],
        "inquiries": [str(each["id"]) for each in there["inquiries"]],
    }


def _last(messages: Rows) -> str | None:
    return str(messages[-1]["id"]) if messages else None


def _guest(rows: Dump, row: dict[str, Any]) -> str | None:
    """The client who wrote last, else the first one, else that of the booking."""
    there = [each for each in rows["participants"] if each["conversation_id"] == row["id"] and each["client_id"]]
    there.sort(key=lambda each: each["id"])
    wrote = [each for each in there if each["last_message_sent_at"] is not None]
    if wrote:
        return str(max(wrote, key=lambda each: each["last_message_sent_at"])["client_id"])
    found = (there or [deciding_booking(_bookings(rows, row)) or {"client_id": None}])[0]["client_id"]
    return found and str(found)


def deciding_booking(bookings: Rows) -> dict[str, Any] | None:
    """The booking that decides the stage, if none begins or ends today; None if none counts."""
    now = datetime.now(UTC)
    ranked = []
    for booking in bookings:
        start, end = booking["start_at"], max(booking["start_at"], booking["end_at"])
        over = end < now
        rank = {"TENTATIVE": 3, "UNAVAILABLE": 3, "CANCELED": 4}.get(booking["status"])
        if booking["status"] == "BOOKED":
            rank = 2 if over else int(not start < now < booking["end_at"])
        if rank is not None:
            place = -end.timestamp() if over else start.timestamp()
            ranked.append(((rank, over, place, -end.timestamp(), booking["id"]), booking))
    return min(ranked)[1] if ranked else None


def _meets(rows: Dump, row: dict[str, Any], filter_: dict[str, Any]) -> bool:
    rest = {name: value for name, value in filter_.items() if name not in {"stages", "search"}}
    return (
        matches(rows, "conversations", row, rest)
        and ("stages" not in filter_ or _stage(rows, row) in filter_["stages"])
        and ("search" not in filter_ or filter_["search"].strip('"') in _words(rows, row))
    )


def _words(rows: Dump, row: dict[str, Any]) -> set[str]:
    """What is searched, where texts are words with spaces between."""
    participants = [each for each in rows["participants"] if each["conversation_id"] == row["id"]]
    bookings = _bookings(rows, row)
    clients = {each["client_id"] for each in (*participants, *bookings)}
    hosts = {each["host_id"] for each in participants}
    people = [each for each in rows["clients"] if each["id"] in clients]
    people += [each for each in rows["hosts"] if each["id"] in hosts]
    people += [each for each in rows["inquiries"] if each["conversation_id"] == row["id"]]
    names = ("fullname", "firstname", "lastname")
    texts = [each.get(name) for each in people for name in names]
    texts += [row["subject"], *(each["reference"] for each in bookings)]
    texts += [each["content"] for each in rows["messages"] if each["conversation_id"] == row["id"]]
    # Nobody finds a host by an address.
    addresses = [each["email"].split("@")[0] for each in people if each["email"] and "user_id" not in each]
    return {word for text in (*texts, *addresses) if text for word in text.lower().split()}


def _bookings(rows: Dump, row: dict[str, Any]) -> Rows:
    linked = {link["booking_id"] for link in rows["conversation_bookings"] if link["conversation_id"] == row["id"]}
    return [booking for booking in rows["bookings"] if booking["id"] in linked]


def _stage(rows: Dump, row: dict[str, Any]) -> str:
    now = datetime.now(UTC)
    bookings = _bookings(rows, row)
    booked = [booking for booking in bookings if booking["status"] == "BOOKED"]
    if any(booking["start_at"] < now < booking["end_at"] for booking in booked):
        return "AT_PROPERTY"
    if any(now < booking["start_at"] for booking in booked):
        return "RESERVED"
    if booked:
        return "POST_STAY"
    others = {booking["status"] for booking in bookings} - {"LOCKED"}
    return "CANCELED" if others == {"CANCELED"} else "INQUIRY"


def _counts(rows: Dump, conversations: Rows, user: int) -> dict[str, int]:
    hosts = {host["id"] for host in rows["hosts"] if host["user_id"] == user}
    counted = {name: sum(_meets(rows, row, filter_) for row in conversations) for name, filter_ in _COUNTS.items()}
    counted["mine"] = sum(row["assignee_id"] in hosts for row in conversations)
    return counted | {_camel(stage): sum(_stage(rows, row) == stage for row in conversations) for stage in STAGES}


def _sorted(conversations: Rows, column: str, *, descending: bool) -> Rows:
    """Nulls come last, and equal values by id, in the direction of the order."""
    there = [row for row in conversations if row[column] is not None]
    nulls = [row for row in conversations if row[column] is None]
    return sorted(there, key=lambda row: (row[column], row["id"]), reverse=descending) + sorted(
        nulls, key=lambda row: row["id"], reverse=descending
    )


def _camel(name: str) -> str:
    first, *others = name.lower().split("_")
    return first + "".join(map(str.title, others))
