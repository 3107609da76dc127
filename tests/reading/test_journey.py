"""The stage of a conversation, and its other values that are derived from bookings and messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any, TypeVar

import asyncpg
import pytest

from db import tables as t
from db.tables import JourneyStage
from gql.fields.excerpt import MAX_READ, begin
from gql.fields.node import encode_id
from tests.oracles.journey import GROUPS, STAGES, STAYS, Stages, deciding_stay, store_stays, today
from tests.support.client import Client, Statements
from tests.support.factories import MOMENT, derive_all, store, store_account
from tests.support.world import CONVERSATION, FREE_BOOKING, INQUIRY, World, empty

pytestmark = pytest.mark.anyio

_T = TypeVar("_T")

# The first is always one or two days ahead of the second; the offsets of the others are not whole hours.
ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu", "America/St_Johns", "UTC")

PAGE = """
query ($filter: ConversationFilter, $after: String) {
  conversations(first: 100, after: $after, filter: $filter, orderBy: { field: CREATED_AT, direction: ASC }) {
    totalCount
    nodes { databaseId stage }
    pageInfo { endCursor hasNextPage }
  }
}
"""


async def read_stages(client: Client, filter_: dict[str, Any] | None = None) -> Stages:
    """The stages of all conversations that match the filter, by their ids, and the counts."""
    stages: Stages = {}
    after = None
    while True:
        page = (await client.data(PAGE, filter=filter_, after=after))["conversations"]
        stages |= {int(node["databaseId"]): node["stage"] for node in page["nodes"]}
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(stages)
            return stages


def at(*stages: str) -> Stages:
    """The conversations that are expected at one of `stages`."""
    return {number: stage for number, stage in STAGES.items() if stage in stages}


async def on_one_day(world: World, zones: Sequence[str], ask: Callable[[], Awaitable[_T]]) -> _T:
    """The result of `ask` for the stays of `oracles.journey`, one account per time zone, between two midnights."""
    while True:
        await empty(world.connection)
        days = []
        for account, zone in enumerate(zones, 1):
            await store_account(world.connection, account)
            days.append(await store_stays(world.connection, account, zone))
        world.client.statements.take()
        answer = await ask()
        if [await today(world.connection, zone) for zone in zones] == days:
            return answer


@pytest.mark.parametrize("zone", ZONES)
async def test_a_stage_is_derived_from_dates_in_the_accounts_time_zone(shared: World, zone: str) -> None:
    assert await on_one_day(shared, [zone], lambda: read_stages(shared.client)) == STAGES


async def test_the_booking_of_a_conversation_is_the_one_that_decides_its_stage(shared: World) -> None:
    page = PAGE.replace("databaseId stage", "databaseId booking { databaseId }")

    async def ask() -> dict[int, int | None]:
        found: dict[int, int | None] = {}
        after, more = None, True
        while more:
            conversations = (await shared.client.data(page, after=after))["conversations"]
            for node in conversations["nodes"]:
                found[int(node["databaseId"])] = node["booking"] and int(node["booking"]["databaseId"])
            after, more = conversations["pageInfo"]["endCursor"], conversations["pageInfo"]["hasNextPage"]
        return found

    numbers = {stay: number for number, stay in enumerate(STAYS, 1)}
    deciding = {number: deciding_stay(stays) for number, stays in enumerate(GROUPS, 1)}
    expected = {number: numbers[stay] if stay else None for number, stay in deciding.items()}
    assert None in expected.values()
    for zone in ZONES[:2]:
        assert await on_one_day(shared, [zone], ask) == expected


async def test_accounts_that_never_share_a_date_each_have_their_own(shared: World) -> None:
    async def ask() -> list[Stages]:
        return [await read_stages(shared.client.as_(account)) for account in (1, 2)]

    assert await on_one_day(shared, ZONES[:2], ask) == [STAGES, STAGES]


@pytest.mark.parametrize(
    ("rule", "shift"), [("{before}/0,{day}/1", -1), ("{day}/0,{after}/0", 0)], ids=["twice", "never"]
)
async def test_a_day_begins_when_clocks_first_show_it(shared: World, rule: str, shift: int) -> None:
    """If clocks are set back from 1:00 to 0:00, midnight comes twice; if they are set forward at 0:00, never."""
    now = datetime.now(UTC)
    # It is about noon in these zones, so that no midnight passes.
    behind = now.hour - 12
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=behind)
    day = now.timetuple().tm_yday - 1
    rules = rule.format(day=day, before=(day - 100) % 365, after=(day + 100) % 365)
    first = midnight + timedelta(hours=shift)
    await empty(shared.connection)
    await store_account(shared.connection)
    await shared.connection.execute("UPDATE accounts SET time_zone = $1", f"XST{behind:+d}XDT,{rules}")
    for number, start in enumerate((first, first - timedelta(milliseconds=1)), 1):
        link = {"account_id": 1, "conversation_id": number, "booking_id": number}
        await store(shared.connection, "conversations", account_id=1, id=number)
        end = start + timedelta(days=3)
        await store(shared.connection, "bookings", account_id=1, id=number, start_at=start, end_at=end)
        await store(shared.connection, "conversation_bookings", **link)
    await derive_all(shared.connection)

    assert await read_stages(shared.client) == {1: "CHECK_IN_TODAY", 2: "AT_PROPERTY"}
    dates = "SELECT (start_at AT TIME ZONE time_zone)::date = (now() AT TIME ZONE time_zone)::date AS today"
    rows = await shared.connection.fetch(f"{dates} FROM bookings b JOIN accounts a ON a.id = account_id ORDER BY b.id")
    assert [row["today"] for row in rows] == [True, False]


@pytest.mark.parametrize("zone", ZONES[:2])
async def test_stages_find_the_conversations_that_are_at_them(shared: World, zone: str) -> None:
    """All sets of stages, because the SQL depends on the set."""
    sets = [chosen for number in range(len(JourneyStage) + 1) for chosen in combinations(JourneyStage, number)]

    async def ask() -> list[Stages]:
        return [await read_stages(shared.client, {"stages": chosen}) for chosen in sets]

    found = await on_one_day(shared, [zone], ask)

    assert found == [at(*chosen) for chosen in sets]


@pytest.mark.parametrize(
    ("filter_", "stages"),
    [
        ({"not": {"stages": ["POST_STAY", "CHECK_IN_TODAY"]}}, set(JourneyStage) - {"POST_STAY", "CHECK_IN_TODAY"}),
        ({"not": {"stages": ["CHECK_OUT_TODAY"]}}, set(JourneyStage) - {"CHECK_OUT_TODAY"}),
        ({"or": [{"stages": ["RESERVED"]}, {"stages": ["CHECK_IN_TODAY"]}]}, {"RESERVED", "CHECK_IN_TODAY"}),
        ({"or": [{"stages": ["AT_PROPERTY"]}, {"stages": ["CANCELED"]}]}, {"AT_PROPERTY", "CANCELED"}),
        ({"stages": ["INQUIRY"], "not": {"stages": ["CANCELED"]}}, {"INQUIRY"}),
        ({"stages": ["INQUIRY"], "bookingStatuses": ["BOOKED"]}, set()),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
async def test_stages_are_a_condition_like_any_other(shared: World, filter_: dict[str, Any], stages: set[str]) -> None:
    found = await on_one_day(shared, ["UTC"], lambda: read_stages(shared.client, filter_))

    assert found == at(*stages)


async def test_every_way_to_a_conversation_returns_its_stage(shared: World) -> None:
    await shared.fill(1, 2)
    await shared.connection.execute("UPDATE bookings SET start_at = now() + '9 days', end_at = now() + '10 days'")
    await derive_all(shared.connection)
    id_ = encode_id(t.Conversation, 1, CONVERSATION)

    data = await shared.client.data(
        """query ($id: ID!, $inquiry: ID!) {
          node(id: $id) { ... on Conversation { stage } }
          nodes(ids: [$id, $id]) { ... on Conversation { stage } }
          conversation(id: $id) { stage messages(first: 1) { nodes { conversation { stage } } } }
          inquiry: node(id: $inquiry) { ... on Inquiry { conversation { stage } } }
          bookings(first: 1) { nodes { conversations { nodes { stage } } } }
        }""",
        id=id_,
        inquiry=encode_id(t.Inquiry, 1, INQUIRY),
    )

    expected = {"stage": "RESERVED"}
    assert data == {
        "node": expected,
        "nodes": [expected, expected],
        "conversation": {**expected, "messages": {"nodes": [{"conversation": expected}]}},
        "inquiry": {"conversation": expected},
        "bookings": {"nodes": [{"conversations": {"nodes": [expected]}}]},
    }


async def test_a_stage_is_read_with_its_page(reader: Client, statements: Statements) -> None:
    await reader.data("{ conversations(first: 50) { nodes { databaseId } } }")
    statements.take()

    await reader.data("{ conversations(first: 50) { nodes { stage } } }")

    assert len(statements.take()) == 1


async def test_what_does_not_ask_for_a_stage_reads_no_bookings(reader: Client, statements: Statements) -> None:
    await reader.data("{ __typename }")
    statements.take()

    await reader.data("{ conversation(databaseId: 1) { subject } conversations { nodes { subject } } }")

    assert [sql for sql in statements.take() if "bookings" in sql] == []


async def test_connecting_and_disconnecting_change_the_stage_at_once(shared: World) -> None:
    await shared.fill(1)
    await shared.connection.execute("DELETE FROM conversation_bookings")
    await shared.connection.execute(
        "UPDATE bookings SET start_at = now() - interval '9 days', end_at = now() + interval '9 days'"
    )
    await derive_all(shared.connection)
    given = {
        "conversationId": encode_id(t.Conversation, 1, CONVERSATION),
        "bookingIds": [encode_id(t.Booking, 1, FREE_BOOKING)],
    }

    async def change(name: str) -> Any:
        document = f"mutation ($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ ...Shown }} }}"
        shown = f"fragment Shown on {name[0].upper()}{name[1:]}Payload {{ conversation {{ stage }} }}"
        return (await shared.client.data(f"{document} {shown}", input=given))[name]["conversation"]["stage"]

    assert [await change("connectBookings"), await change("disconnectBookings")] == ["AT_PROPERTY", "INQUIRY"]


async def test_another_accounts_bookings_do_not_change_a_stage(shared: World) -> None:
    """Both accounts have the same ids."""
    await shared.fill(1, 2)
    await shared.connection.execute("UPDATE bookings SET status = 'CANCELED' WHERE account_id = 2")
    await derive_all(shared.connection, 2)

    stages = [await read_stages(shared.client.as_(account)) for account in (1, 2)]

    assert [stage[CONVERSATION] for stage in stages] == ["POST_STAY", "CANCELED"]
    found = [await read_stages(shared.client.as_(account), {"stages": ["CANCELED"]}) for account in (1, 2)]
    assert found == [{}, {CONVERSATION: "CANCELED"}]


async def test_a_stage_needs_no_scope_for_bookings(shared: World) -> None:
    await shared.fill(1)
    reader = shared.client.as_(1, scopes=["inbox_read"])

    assert await read_stages(reader, {"stages": ["POST_STAY"]}) == {CONVERSATION: "POST_STAY"}


async def test_whether_and_since_when_a_guest_waits(client: Client, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    states: list[dict[str, Any]] = [
        {},
        {"unanswered_since": MOMENT, "unread_count": 2},
        {"unanswered_since": MOMENT, "unread_count": 1, "closed_at": MOMENT},
        {"unanswered_since": MOMENT, "marked_as_spam_at": MOMENT},
    ]
    for number, state in enumerate(states, 1):
        await store(connection, "conversations", account_id=1, id=number, **state)

    data = await client.data(
        "{ conversations(orderBy: { field: CREATED_AT, direction: ASC }) {"
        " nodes { needsReply waitingSince unreadCount } } }"
    )

    assert data["conversations"]["nodes"] == [
        {"needsReply": False, "waitingSince": None, "unreadCount": 0},
        {"needsReply": True, "waitingSince": "2026-05-04T09:30:00.000Z", "unreadCount": 2},
        {"needsReply": False, "waitingSince": None, "unreadCount": 1},
        {"needsReply": False, "waitingSince": None, "unreadCount": 0},
    ]


@pytest.mark.parametrize(
    ("content", "length", "shown"),
    [
        ("Where are the keys?", 140, "Where are the keys?"),
        ("  Where\n\n are\tthe\u00a0keys?\u2028\x00", 140, "Where are the keys?"),
        ("Where are the keys?", 19, "Where are the keys?"),
        ("Where are the keys?", 18, "Where are the…"),
        ("Where are the keys?", 15, "Where are the…"),
        ("Where are the keys?", 14, "Where are the…"),
        ("Where are the keys?", 13, "Where are…"),
        ("Where are the keys?", 1, "…"),
        ("Hi " + "鍵はどこですか" * 30, 20, "Hi " + ("鍵はどこですか" * 3)[:16] + "…"),
        ("x" * 500, 140, "x" * 139 + "…"),
        ("<p>Hel<b>lo</b></p><p>there<br/>you</p>", 140, "Hello there you"),
        ("<style>p { color: red }</style><!-- no --><div class='a>b'>Hello", 140, "b'>Hello"),
        ("<html><head><title>x</title></head><body>Hello</body></html>", 140, "Hello"),
        ("Tom &amp; Ann&nbsp;&lt;3 &#x1F3D6; ?a=1&copy=2", 140, "Tom & Ann <3 🏖 ?a=1&copy=2"),
        ("5 < 7 and 7 > 5, <3", 140, "5 < 7 and 7 > 5, <3"),
        ("<b></b>", 140, ""),
        ("word " * 799 + "<a href='https://villas.example/" + "x" * 100, 500, "word " * 99 + "word…"),
        ("<script>" + "x" * 5_000, 140, "…"),
    ],
)
def test_an_excerpt_is_one_line_without_markup_cut_at_a_word(content: str, length: int, shown: str) -> None:
    assert begin(content[: MAX_READ + 1], length) == shown
    assert len(shown) <= length


async def test_an_excerpt_reads_the_beginning_of_a_text_and_not_the_rest(shared: World) -> None:
    await shared.fill(1)
    await shared.connection.execute("UPDATE messages SET content = 'Dear <b>all</b>, ' || repeat('x', 60000)")
    shared.client.statements.take()

    document = "query ($n: Int) { conversations { nodes { lastMessage { excerpt short: excerpt(length: $n) } } } }"
    data = await shared.client.data(document, n=10)

    assert data["conversations"]["nodes"][0]["lastMessage"] == {
        "excerpt": f"Dear all, {'x' * 129}…",
        "short": "Dear all,…",
    }
    *_, sql = shared.client.statements.take()
    assert "left(messages.content, 4001)" in sql
    assert "row.content" not in sql
    for length in (0, 501):
        assert await shared.client.error(document, n=length) == (
            "BAD_USER_INPUT",
            f"length must be from 1 to 500, not {length}",
        )


async def test_the_last_message_is_the_newest_and_of_those_at_once_the_one_with_the_highest_number(
    client: Client, connection: asyncpg.Connection, statements: Statements
) -> None:
    await store_account(connection)
    sent = {1: {}, 2: {8: (0, "EXTERNAL"), 7: (0, "EXTERNAL")}, 3: {4: (1, "INTERNAL"), 5: (0, "EXTERNAL")}}
    for conversation, messages in sent.items():
        thread = {"account_id": 1, "conversation_id": conversation}
        await store(connection, "conversations", account_id=1, id=conversation)
        await store(connection, "participants", id=conversation, member_type="HOST", member_id=1, host_id=1, **thread)
        for id_, (minutes, visibility) in messages.items():
            sent_at = MOMENT + timedelta(minutes=minutes)
            await store(
                connection, "messages", id=id_, sender_id=conversation, visibility=visibility, sent_at=sent_at, **thread
            )
    await client.data("{ __typename }")
    statements.take()

    data = await client.data(
        "{ conversations(orderBy: { field: CREATED_AT, direction: ASC }) {"
        " nodes { lastMessage { databaseId visibility } } } }"
    )

    assert data["conversations"]["nodes"] == [
        {"lastMessage": None},
        {"lastMessage": {"databaseId": "8", "visibility": "EXTERNAL"}},
        {"lastMessage": {"databaseId": "4", "visibility": "INTERNAL"}},
    ]
    assert len(statements.take()) == 2

    data = await client.data(
        """query ($of: MessageVisibility) { conversations(orderBy: { field: CREATED_AT, direction: ASC }) { nodes {
          seen: lastMessage(visibility: EXTERNAL) { databaseId } note: lastMessage(visibility: $of) { databaseId }
        } } }""",
        of="INTERNAL",
    )

    assert data["conversations"]["nodes"] == [
        {"seen": None, "note": None},
        {"seen": {"databaseId": "8"}, "note": None},
        {"seen": {"databaseId": "5"}, "note": {"databaseId": "4"}},
    ]
    assert len(statements.take()) == 3
