"""Fallbacks to graphql-core have the same result, and are counted, logged and readable by operators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from db import tables as t
from db.relations import ById
from gql import types
from gql.execution.level import PlanLevel
from gql.execution.plan import OperationPlanner
from gql.fields.lookup import LookupStep
from gql.fields.many import ManyStep
from gql.fields.node import NODE_TABLES, node
from gql.log import FALLBACKS, METRICS
from gql.mutations.declare import MutationStep
from tests.oracles.reference import DROPPED
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.serving import serving

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings(DROPPED)]

THREAD = "query Thread { conversation(databaseId: 10) { subject messages(first: 1) { nodes { content } } } }"
THREAD_DATA = {
    "conversation": {"subject": "Keys of 1", "messages": {"nodes": [{"content": "Where are the keys of 1?"}]}}
}


@pytest.fixture
async def inbox(dsn: str, connection: asyncpg.Connection, statements: Statements) -> AsyncIterator[Client]:
    """A client of an application with metrics, on an account with rows of every table."""
    await world.store_application(connection)
    await world.store_world(connection)
    async with serving(dsn, statements, metrics=True) as client:
        yield client


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    """Reset the counters."""
    FALLBACKS.clear()
    yield
    FALLBACKS.clear()


GUESTS_TEXT = "what a guest wrote"


def break_step(patch: pytest.MonkeyPatch, step: type) -> None:
    """Put a defect into a step of plans."""

    async def run(_step: Any, _level: PlanLevel) -> None:
        raise KeyError(GUESTS_TEXT)

    patch.setattr(step, "run", run)


@pytest.mark.parametrize("step", [ManyStep, LookupStep])
async def test_a_defect_in_a_plan_changes_no_answer_and_is_counted_and_logged_once(
    inbox: Client, monkeypatch: pytest.MonkeyPatch, step: type
) -> None:
    break_step(monkeypatch, step)

    with capture_logs() as logged:
        answers = [await inbox.answer(THREAD) for _ in range(3)]

    assert answers == [{"data": THREAD_DATA}] * 3
    assert FALLBACKS == {"KeyError": 3}
    (line,) = [line for line in logged if line["event"] == "plan not followed"]
    frames = line.pop("exception")
    assert line == {
        "event": "plan not followed",
        "log_level": "warning",
        "reason": "KeyError",
        "operation": "Thread",
    }
    assert "in run" in frames
    assert GUESTS_TEXT not in frames


async def test_a_plan_of_more_statements_than_were_counted_is_not_followed(
    inbox: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would run without a transaction, and each would read another moment."""
    monkeypatch.setattr(OperationPlanner, "count_statements", lambda *_: None)
    await inbox.data("{ __typename }")
    inbox.statements.take()

    assert await inbox.data(THREAD) == THREAD_DATA

    assert FALLBACKS == {"RuntimeError": 1}
    # The first one of the plan, and both of graphql-core in a transaction.
    assert (len(inbox.statements.take()), inbox.statements.begun) == (3, 1)


async def test_a_defect_in_a_mutations_plan_writes_once(
    inbox: Client, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = MutationStep.run

    async def write_then_fail(step: MutationStep, level: PlanLevel) -> None:
        await written(step, level)
        raise KeyError

    monkeypatch.setattr(MutationStep, "run", write_then_fail)

    answer = await inbox.data("""mutation {
      a: createConversation(input: {subject: "First"}) { conversation { subject } }
      b: createConversation(input: {subject: "Second"}) { conversation { subject } }
    }""")

    assert answer == {"a": {"conversation": {"subject": "First"}}, "b": {"conversation": {"subject": "Second"}}}
    assert FALLBACKS == {"KeyError": 2}
    assert await connection.fetchval("SELECT count(*) FROM conversations WHERE subject IN ('First', 'Second')") == 2


async def test_a_mistake_of_a_client_is_counted_and_no_warning(inbox: Client) -> None:
    with capture_logs() as logged:
        answer = await inbox.answer("{ conversations(first: 0) { totalCount } }")

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert FALLBACKS == {"ClientError": 1}
    assert [line["log_level"] for line in logged if line["event"] == "plan not followed"] == ["info"]


async def test_operators_read_the_counts(inbox: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    break_step(monkeypatch, ManyStep)
    await inbox.data(THREAD)
    await inbox.data("{ __schema { queryType { name } } }")

    response = await inbox.http.get("/metrics")

    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.text.splitlines()[:4] == [
        "# HELP inbox_plan_fallbacks_total Operations, or fields of mutations, that no plan answered, by reason.",
        "# TYPE inbox_plan_fallbacks_total counter",
        'inbox_plan_fallbacks_total{reason="KeyError"} 1',
        'inbox_plan_fallbacks_total{reason="introspection"} 1',
    ]


async def test_operators_read_every_counter(inbox: Client) -> None:
    for metric in METRICS:
        metric.counts['of "one"\n'] += 2

    lines = (await inbox.http.get("/metrics")).text.splitlines()

    for metric in METRICS:
        metric.counts.clear()
    shown = {f'{metric.name}{{{metric.label}="of \\"one\\"\\n"}} 2' for metric in METRICS}
    assert shown <= set(lines)
    assert len(shown) == len(METRICS)


async def test_metrics_are_served_only_where_they_are_set(client: Client) -> None:
    assert (await client.http.get("/metrics")).status_code == 404


@pytest.mark.parametrize("planned", [True, False])
async def test_what_two_fields_ask_for_is_read_once(
    inbox: Client, monkeypatch: pytest.MonkeyPatch, *, planned: bool
) -> None:
    await inbox.data("{ __typename }")
    if not planned:
        break_step(monkeypatch, LookupStep)
    inbox.statements.take()

    answer = await inbox.data("""{
      conversation(databaseId: 10) {
        a: messages { nodes { content sender { memberType } } } b: messages { nodes { sender { memberType } content } }
      }
    }""")

    assert answer["conversation"]["a"]["nodes"][0] == answer["conversation"]["b"]["nodes"][0]
    # The conversation, and its messages with their senders, which graphql-core loads with a statement of their own.
    assert len(inbox.statements.take()) == (2 if planned else 3)


async def test_a_load_that_is_interrupted_is_an_error_of_its_field(
    inbox: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(*_arguments: Any) -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    monkeypatch.setattr(ById, "load", interrupted)
    # Introspection is executed by graphql-core, which loads single rows.
    answer = await inbox.answer('{ conversation(databaseId: 10) { id } __type(name: "Host") { name } }')

    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["conversation"], "INTERNAL_SERVER_ERROR")
    assert answer["data"] == {"conversation": None, "__type": {"name": "Host"}}


SHARED = """{
  a: conversation(databaseId: 10) {
    assignee { user { name } } messages(first: 1) { nodes { conversation { participants(first: 0) { totalCount } } } }
  }
  b: conversation(databaseId: 11) { assignee { user { name } } }
}"""


async def test_an_error_beside_a_shared_row_leaves_the_others_answer(
    inbox: Client, connection: asyncpg.Connection
) -> None:
    """graphql-core cancels the future of `a`, and `b` waits for the same row."""
    await connection.execute("UPDATE conversations SET assignee_id = 1")

    response = await inbox.post(SHARED)

    assert response.status_code == 200
    answer = response.json()
    assert answer["data"] == {"a": None, "b": {"assignee": {"user": {"name": "Uma of 1"}}}}
    (error,) = answer["errors"]
    assert error["path"] == ["a", "messages", "nodes", 0, "conversation", "participants"]
    assert (error["message"], error["extensions"]) == (
        "first must be from 1 to 100, not 0",
        {"code": "BAD_USER_INPUT"},
    )


@pytest.mark.parametrize("below", ["memberType", "conversation { id }"], ids=["with its message", "by its id"])
async def test_a_missing_row_that_must_exist_is_an_error(
    inbox: Client, connection: asyncpg.Connection, below: str
) -> None:
    await connection.execute(
        "SET session_replication_role = replica; UPDATE messages SET sender_id = 999 WHERE id = 51"
    )

    answer = await inbox.answer(
        f"{{ conversation(databaseId: 10) {{ messages {{ nodes {{ sender {{ {below} }} }} }} }} }}"
    )

    assert answer["data"] == {"conversation": None}
    (error,) = answer["errors"]
    assert error["path"] == ["conversation", "messages", "nodes", 1, "sender"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert FALLBACKS == {"a row is missing that must exist": 1}


async def test_fields_of_a_mutation_report_each_for_itself(inbox: Client, connection: asyncpg.Connection) -> None:
    good = "Q29udmVyc2F0aW9uOjE6MTA"

    answer = await inbox.answer(
        """mutation ($good: ID!) {
          a: updateConversation(input: {conversationId: $good, markedAsSpam: true}) { conversation { markedAsSpam } }
          b: updateConversation(input: {conversationId: "x", closed: true}) { conversation { id } }
          c: updateConversation(input: {conversationId: $good, closed: true}) { conversation { closed } }
        }""",
        good=good,
    )

    assert answer["data"] == {
        "a": {"conversation": {"markedAsSpam": True}},
        "b": None,
        "c": {"conversation": {"closed": True}},
    }
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [(["b"], "BAD_USER_INPUT")]
    row = await connection.fetchrow("SELECT closed_at, marked_as_spam_at FROM conversations WHERE id = 10")
    assert None not in tuple(row)


@pytest.mark.parametrize(
    ("document", "data", "path"),
    [
        ("query ($x: Boolean = true) { viewer @include(if: $x) { scopes } }", None, None),
        (
            """query ($x: Boolean = true) {
              conversation(databaseId: 10) { subject @include(if: $x) } other: conversation(databaseId: 11) { subject }
            }""",
            {"conversation": None, "other": {"subject": "Towels of 1"}},
            ["conversation"],
        ),
    ],
)
async def test_a_condition_that_is_null_is_the_clients_mistake(
    inbox: Client, document: str, data: Any, path: list[str] | None
) -> None:
    answer = await inbox.answer(document, x=None)

    assert answer["data"] == data
    (error,) = answer["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert error.get("path") == path
    assert "$x" in error["message"]


def test_a_table_without_a_type_is_named_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(NODE_TABLES, "Message")

    with pytest.raises(TypeError, match=r"Message has a table and no type, and \w+\.\w*message leads to it"):
        types.link()


def test_a_type_that_is_not_named_like_its_table_is_refused() -> None:
    with pytest.raises(TypeError, match="The type Notes has the table Message: give both one name"):
        node(t.Message)(type("Notes", (), {}))
