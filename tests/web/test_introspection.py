"""Introspection and suggestions: both work if they are on, and neither if they are off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from graphql import get_introspection_query

from gql.cli import run
from gql.execution.executor import Executor
from gql.settings import Settings
from tests.support.client import Client, Statements
from tests.support.command import forget_settings
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

SUGGESTION = " Did you mean "


@pytest.fixture(scope="module")
async def talkative(seeded_dsn: str) -> AsyncIterator[Client]:
    """A client of an application with introspection."""
    async with serving(seeded_dsn, Statements(), introspection=True) as client:
        yield client


@pytest.fixture(scope="module")
async def silent(seeded_dsn: str) -> AsyncIterator[Client]:
    """A client of an application without introspection."""
    async with serving(seeded_dsn, Statements(), introspection=False) as client:
        yield client


@pytest.mark.parametrize(
    ("document", "field", "place"),
    [
        ("{ __schema { __typename } }", "__schema", (1, 3)),
        ('{ __type(name: "Host") { name } }', "__type", (1, 3)),
        ("{ a: __schema { __typename } }", "__schema", (1, 3)),
        ("{ ...F } fragment F on Query { __schema { __typename } }", "__schema", (1, 32)),
        ("query A { __typename } query B { __schema { __typename } }", "__schema", (1, 34)),
        ("{ __schema @skip(if: true) { __typename } }", "__schema", (1, 3)),
    ],
)
async def test_the_schema_is_not_returned_if_introspection_is_off(
    silent: Client, talkative: Client, document: str, field: str, place: tuple[int, int]
) -> None:
    message = f"GraphQL introspection has been disabled, but the requested query contained the field '{field}'."
    error = {
        "message": message,
        "locations": [{"line": place[0], "column": place[1]}],
        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
    }

    assert await silent.answer(document) == {"errors": [error]}
    assert await talkative.answer(document) != {"errors": [error]}


async def test_the_schema_is_returned_if_introspection_is_on(talkative: Client) -> None:
    assert await talkative.data('{ __type(name: "Host") { name } __schema { queryType { name } } }') == {
        "__type": {"name": "Host"},
        "__schema": {"queryType": {"name": "Query"}},
    }


async def test_names_of_types_in_an_answer_stay(silent: Client) -> None:
    assert await silent.data("{ __typename hosts(first: 1) { nodes { __typename } } }") == {
        "__typename": "Query",
        "hosts": {"nodes": [{"__typename": "Host"}]},
    }


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{ hostz { nodes { id } } }", {}),
        ("{ node(id: 1) { firstname } }", {}),
        ("{ hosts(firts: 1) { nodes { id } } }", {}),
        ("{ __typename @skip(iff: true, if: true) }", {}),
        ("{ node(id: 1) { ... on Hots { id } } }", {}),
        ("{ ...F } fragment F on Qery { __typename }", {}),
        ("query($order: ConversationOder) { conversations(orderBy: $order) { totalCount } }", {}),
        ("{ conversations(filter: {clozed: true}) { totalCount } }", {}),
        ("{ conversations(filter: {channels: [AIRBNBB]}) { totalCount } }", {}),
        ('{ conversations(filter: {channels: ["AIRBNB"]}) { totalCount } }', {}),
        ("query($c: [Channel!] = [AIRBNBB]) { conversations(filter: {channels: $c}) { totalCount } }", {}),
        ("query($c: [Channel!]) { conversations(filter: {channels: $c}) { totalCount } }", {"c": ["AIRBNBB"]}),
        ("query($f: ConversationFilter) { conversations(filter: $f) { totalCount } }", {"f": {"clozed": True}}),
        ("query($f: ConversationFilter) { conversations(filter: $f) { totalCount } }", {"f": {"channels": ["VRB"]}}),
        ("query($o: ConversationOrder) { conversations(orderBy: $o) { totalCount } }", {"o": {"field": "CREATED"}}),
        ("mutation { createConversation(input: {subjekt: 1}) { userErrors { code } } }", {}),
        ("mutation { creatConversation { userErrors { code } } }", {}),
    ],
)
async def test_nothing_is_suggested_where_introspection_is_off(
    silent: Client, talkative: Client, document: str, variables: dict[str, Any]
) -> None:
    answers = [(await client.answer(document, **variables))["errors"] for client in (talkative, silent)]

    suggesting, plain = ([error["message"] for error in errors] for errors in answers)
    assert any(SUGGESTION in message for message in suggesting)
    assert not any(SUGGESTION in message for message in plain)
    # Some have the given value instead of the suggestion.
    starts = [message.partition(f".{SUGGESTION}")[0] for message in suggesting]
    assert [message[: len(start)] for message, start in zip(plain, starts, strict=True)] == starts


@pytest.mark.parametrize(("given", "served"), [(None, True), ("", True), ("true", True), ("false", False)])
def test_the_demo_answers_introspection_unless_configured_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str | None, *, served: bool
) -> None:
    forget_settings(monkeypatch, tmp_path)
    if given is not None:
        monkeypatch.setenv("INBOX_INTROSPECTION", given)
    started: list[Settings] = []
    monkeypatch.setattr("gql.cli.demo.run_demo", lambda settings, **_options: started.append(settings))

    assert run(["demo"]) == 0
    assert [settings.introspection for settings in started] == [served]


def test_a_served_application_answers_introspection_only_if_configured() -> None:
    assert Settings.model_fields["introspection"].default is False


async def test_an_answer_of_introspection_is_kept(
    seeded_dsn: str, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = '{ __type(name: "Host") { fields { name } } }'
    by_variable = "query ($name: String!) { __type(name: $name) { name } }"
    executed = []
    execute: Any = Executor.execution

    def count(self: Executor, call: Any) -> Any:
        executed.append(call.operation)
        return execute(self, call)

    monkeypatch.setattr(Executor, "execution", count)
    async with serving(seeded_dsn, statements) as client:
        for document in (get_introspection_query(), named):
            assert await client.data(document) == await client.data(document)
        assert len(executed) == 2
        # A result that depends on variables is not cached.
        by_name = [await client.data(by_variable, name=name) for name in ("Host", "Client")]

    assert by_name == [{"__type": {"name": "Host"}}, {"__type": {"name": "Client"}}]
    assert len(executed) == 4
