"""The numbers of the inbox: each equals the filter with one more condition, and one statement counts all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import GraphQLObjectType

from db import tables as t
from db.queries.conversation.counts import COUNTS
from gql.fields.filters import ConversationFilter
from gql.fields.node import encode_id
from gql.schema import build_schema
from tests.oracles.journey import STAGES, store_stays
from tests.support.client import Client
from tests.support.factories import MOMENT, store, store_account
from tests.support.world import World, empty

pytestmark = pytest.mark.anyio

CONDITIONS: dict[str, dict[str, Any]] = {
    "open": {"closed": False, "markedAsSpam": False},
    "closed": {"closed": True},
    "spam": {"markedAsSpam": True},
    "unread": {"read": False},
    "unassigned": {"assigned": False},
    "mine": {"mine": True},
    "needsReply": {"needsReply": True},
    "overdue": {"overdue": True},
    "undelivered": {"deliveryFailed": True},
    "inquiry": {"stages": ["INQUIRY"]},
    "reserved": {"stages": ["RESERVED"]},
    "checkInToday": {"stages": ["CHECK_IN_TODAY"]},
    "atProperty": {"stages": ["AT_PROPERTY"]},
    "checkOutToday": {"stages": ["CHECK_OUT_TODAY"]},
    "postStay": {"stages": ["POST_STAY"]},
    "canceled": {"stages": ["CANCELED"]},
}
ALL = f"query ($filter: ConversationFilter) {{ inboxCounts(filter: $filter) {{ {' '.join(CONDITIONS)} }} }}"
TOTAL = "query ($filter: ConversationFilter) { conversations(filter: $filter) { totalCount } }"
FILTERS: list[dict[str, Any] | None] = [
    None,
    {},
    {"closed": False},
    {"closed": True, "assigned": True},
    {"assigneeIds": [encode_id(t.Host, 1, 1), encode_id(t.Host, 1, 2)]},
    {"stages": ["RESERVED", "POST_STAY"], "read": False},
    {"not": {"stages": ["POST_STAY"]}},
    {"or": [{"markedAsSpam": True}, {"needsReply": True}]},
    {"bookingStatuses": ["TENTATIVE"]},
    {"ids": []},
    {"ids": [encode_id(t.Conversation, 2, 1)]},
]


def test_every_number_is_one_of_the_api_and_compared_here() -> None:
    counts = build_schema()._schema.type_map["InboxCounts"]  # noqa: SLF001
    assert isinstance(counts, GraphQLObjectType)

    assert set(counts.fields) == set(CONDITIONS)
    assert len(COUNTS) == len(CONDITIONS)
    assert {name for filter_ in CONDITIONS.values() for name in filter_} <= {
        _camel(name) for name in ConversationFilter.__annotations__
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _zone_at_noon() -> str:
    """A time zone in which the date does not change for hours. In these names, + is west."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


@pytest.fixture(scope="module")
async def inbox(shared: World) -> Client:
    """The stays of `oracles.journey`, in conversations of every state; two of the account's three hosts are user 1."""
    connection = shared.connection
    await empty(connection)
    await store(connection, "applications", id=1)
    for account in (1, 2):
        await store_account(connection, account)
        await store_stays(connection, account, _zone_at_noon())
        for host, user in ((2, None), (3, 1)):
            await store(connection, "hosts", account_id=account, id=host, user_id=user)
    # States are independent of each other and of stages.
    await connection.execute(
        """
        UPDATE conversations SET
            assignee_id = nullif(id * 7 % 4, 0),
            closed_at = CASE WHEN id * 3 % 5 < 2 THEN $1::timestamptz END,
            marked_as_spam_at = CASE WHEN id * 5 % 11 < 2 THEN $1::timestamptz END,
            read_at = CASE WHEN id * 11 % 7 < 5 THEN $1::timestamptz END,
            last_message_at = CASE WHEN id * 13 % 3 > 0 THEN $1::timestamptz + (id * 17 % 5 - 2) * interval '1 h' END,
            unread_count = CASE WHEN id * 31 % 5 < 2 THEN id * 31 % 5 + 1 ELSE 0 END,
            undelivered_count = CASE WHEN id * 37 % 6 < 2 THEN 1 + id % 2 ELSE 0 END,
            unanswered_since = CASE WHEN id * 19 % 4 > 1 THEN $1::timestamptz END,
            deadline_response_at = CASE WHEN id * 23 % 6 > 1 THEN now() + (id * 29 % 3 - 1) * interval '1 day' END
        """,
        MOMENT,
    )
    return shared.client


@pytest.mark.parametrize("filter_", FILTERS, ids=str)
async def test_each_number_is_the_total_with_one_condition_more(inbox: Client, filter_: dict[str, Any] | None) -> None:
    counts = (await inbox.data(ALL, filter=filter_))["inboxCounts"]

    assert counts == {
        name: (await inbox.data(TOTAL, filter={"or": [filter_ or {}], **condition}))["conversations"]["totalCount"]
        for name, condition in CONDITIONS.items()
    }


async def test_no_number_is_trivial(inbox: Client) -> None:
    """Each kind counts some conversations, and none counts all."""
    counts = (await inbox.data(ALL))["inboxCounts"]

    assert [name for name, number in counts.items() if not 0 < number < len(STAGES)] == []


@pytest.mark.parametrize("name", CONDITIONS)
async def test_a_number_does_not_depend_on_what_else_is_counted(inbox: Client, name: str) -> None:
    alone = (await inbox.data(f"{{ inboxCounts {{ {name} }} }}"))["inboxCounts"]

    assert alone[name] == (await inbox.data(ALL))["inboxCounts"][name]


async def test_an_application_is_responsible_for_nothing(inbox: Client) -> None:
    """Even if a user has the same id."""
    counts = await inbox.as_(1, "application:1").data("{ inboxCounts { mine unassigned } }")

    assert counts["inboxCounts"]["mine"] == 0
    assert counts["inboxCounts"]["unassigned"] > 0


async def test_all_numbers_are_one_statement(inbox: Client) -> None:
    await inbox.data(ALL, filter={"closed": False})
    inbox.statements.take()

    await inbox.data(ALL, filter={"closed": False})
    assert len(inbox.statements.take()) == 1

    await inbox.data("{ a: inboxCounts { open } b: inboxCounts { closed inquiry } }")
    assert len(inbox.statements.take()) == 1

    await inbox.data("{ a: inboxCounts { open } b: inboxCounts(filter: { read: true }) { open } }")
    assert len(inbox.statements.take()) == 2


@pytest.mark.parametrize(
    ("selected", "read"),
    [
        ("open unread", set()),
        ("mine", {"hosts"}),
        ("postStay inquiry canceled", set()),
        ("checkInToday atProperty", {"bookings"}),
    ],
)
async def test_only_what_is_selected_is_counted(inbox: Client, selected: str, read: set[str]) -> None:
    await inbox.data("{ __typename }")
    inbox.statements.take()

    await inbox.data(f"{{ inboxCounts {{ {selected} }} }}")

    (sql,) = inbox.statements.take()
    assert {table for table in ("hosts", "bookings") if f"FROM {table}" in sql or f"JOIN {table}" in sql} == read


async def test_a_wrong_filter_is_reported(inbox: Client) -> None:
    code, message = await inbox.error('{ inboxCounts(filter: { ids: ["x"] }) { open } }')

    assert (code, message) == ("BAD_USER_INPUT", '"x" is not an id')


async def test_numbers_need_the_inboxs_scope_and_no_other(inbox: Client) -> None:
    document = "{ inboxCounts { open checkInToday } }"

    assert "errors" not in await inbox.as_(1, scopes=["inbox_read"]).answer(document)
    code, message = await inbox.as_(1, scopes=["bookings_read", "clients_read"]).error(document)
    assert (code, message) == ("FORBIDDEN", "This document needs scopes that the token does not have: inbox_read")


async def test_the_seeded_inbox_is_counted(reader: Client) -> None:
    counts = (await reader.data(ALL))["inboxCounts"]

    for name in ("open", "closed", "spam", "unread", "unassigned", "needsReply"):
        found = await reader.data(TOTAL, filter=CONDITIONS[name])
        assert counts[name] == found["conversations"]["totalCount"] > 0
