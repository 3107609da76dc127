"""The limits of an operation: at each limit and one above it.

Limits of bodies, tokens and errors are also in `test_http.py` and `test_error.py`; time limits are in
`test_interruption.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import cycle, islice
from typing import Any

import asyncpg
import pytest
from graphql import get_introspection_query

from db import tables as t
from gql.fields.node import encode_id
from gql.settings import Settings
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.request import JSON, RESPONSE, TYPENAME, refusal, send
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

CONVERSATION = encode_id(t.Conversation, 1, world.CONVERSATION)


@pytest.fixture(scope="module")
async def reader(seeded_dsn: str) -> AsyncIterator[Client]:
    """One application for all tests that only read."""
    async with serving(seeded_dsn, Statements()) as client:
        yield client


def too_complex(what: str, value: int | str, limit: int) -> dict[str, Any]:
    """The response to an operation above a limit."""
    message = f"This operation is too complex: {what} {value}, where {limit} is the limit"
    extensions = {"code": "OPERATION_TOO_COMPLEX", "limit": what, "value": value, "maximum": limit}
    return {"errors": [{"message": message, "extensions": extensions}]}


def test_the_defaults_are_those_that_were_decided() -> None:
    fields = Settings.model_fields
    decided = {
        "max_body": 524_288,
        "max_tokens": 5_000,
        "max_depth": 12,
        "max_aliases": 30,
        "max_root_fields": 20,
        "max_directives": 50,
        "max_cost": 20_000,
        "max_list": 250,
        "operation_timeout": 10.0,
        "max_running": 64,
        "max_waiting": 256,
        "rate_limit": 300_000,
    }

    assert {name: fields[name].default for name in decided} == decided


def deep(levels: int) -> str:
    """An operation with that many levels."""
    way = ["conversation(databaseId: 1)", *islice(cycle(["messages(first: 1)", "nodes", "conversation"]), levels - 2)]
    return f"{{ {' { '.join([*way, '__typename'])} {'}' * levels}"


def deep_in_fragments(levels: int) -> str:
    """The same, a fragment for every three levels."""
    steps, more = divmod(levels - 2, 3)
    way = ["messages(first: 1)", "nodes"]
    rest = " { ".join(["", *way[:more], "__typename"]) + " }" * (more + 1)
    spreads = "".join(
        f" fragment F{step} on Conversation {{ {way[0]} {{ nodes {{ conversation {{ ...F{step + 1} }} }} }} }}"
        for step in range(steps)
    )
    return f"{{ conversation(databaseId: 1) {{ ...F0 }} }}{spreads} fragment F{steps} on Conversation{rest}"


def aliased(number: int) -> str:
    """An operation with that many aliases."""
    return f"{{ viewer {{ {' '.join(f'a{place}: __typename' for place in range(number))} }} }}"


def aliased_in_fragments(number: int) -> str:
    """The same, by a fragment that is used twice."""
    names = " ".join(f"a{place}: __typename" for place in range(number // 2))
    odd = "" if number % 2 == 0 else "odd: __typename "
    return f"{{ {odd}viewer {{ actor {{ ...A }} host {{ user {{ ...A }} }} }} }} fragment A on User {{ {names} }}"


def rooted(number: int) -> str:
    """An operation with that many root fields."""
    return f"{{ {' '.join(f'a{place}: __typename' for place in range(number))} }}"


def rooted_in_a_fragment(number: int) -> str:
    """The same, with one of them in the operation itself."""
    return f"{{ a0: __typename ... on Query {{ ...A }} }} fragment A on Query {rooted(number)}"


def rooted_in_a_payload(number: int) -> str:
    """A mutation that selects that many fields of `query`."""
    unknown = encode_id(t.Conversation, 1, 999_999)
    return f'mutation {{ markConversationRead(input: {{conversationId: "{unknown}"}}) {{ query {rooted(number)} }} }}'


def directed(number: int) -> str:
    """An operation with that many directives."""
    return f"{{ {'__typename @include(if: true) ' * number} }}"


def directed_in_fragments(number: int) -> str:
    """The same on a spread, an inline fragment, and fields."""
    fields = "__typename @skip(if: false) " * (number - 2)
    return f"{{ ...A @include(if: true) }} fragment A on Query {{ ... @include(if: true) {{ {fields} }} }}"


SHAPES: list[tuple[str, int, Callable[[int], str]]] = [
    ("depth", 12, deep),
    ("depth", 12, deep_in_fragments),
    ("aliases", 30, aliased),
    ("aliases", 30, aliased_in_fragments),
    ("root fields", 20, rooted),
    ("root fields", 20, rooted_in_a_fragment),
    ("root fields", 20, rooted_in_a_payload),
    ("directives", 50, directed),
    ("directives", 50, directed_in_fragments),
]


@pytest.mark.parametrize(("what", "limit", "shape"), SHAPES)
async def test_an_operation_of_a_limit_runs_and_one_past_it_is_refused(
    reader: Client, what: str, limit: int, shape: Callable[[int], str]
) -> None:
    await reader.data(shape(limit))

    assert await reader.answer(shape(limit + 1)) == too_complex(what, limit + 1, limit)


async def test_limits_are_each_operations_own_and_all_must_keep_them(reader: Client) -> None:
    apart = f"query A {aliased(20)} query B {aliased(20)}"
    response = await send(reader, {"query": apart, "operationName": "B"})
    assert response.json()["data"]["viewer"] == {f"a{place}": "Viewer" for place in range(20)}

    response = await send(reader, {"query": f"query A {aliased(20)} query B {aliased(31)}", "operationName": "A"})
    assert response.json() == too_complex("aliases", 31, 30)


@pytest.mark.parametrize(("media", "status"), [(JSON, 200), (RESPONSE, 400)])
async def test_a_refusal_has_the_status_of_a_request_error(reader: Client, media: str, status: int) -> None:
    response = await send(reader, {"query": aliased(31)}, accept=media)

    assert (response.status_code, response.json()) == (status, too_complex("aliases", 31, 30))


async def test_a_document_of_all_tokens_is_read_and_one_more_is_not(seeded_dsn: str) -> None:
    document = "{ viewer { __typename } }"
    async with serving(seeded_dsn, Statements(), max_tokens=6) as client:
        assert await client.data(document) == {"viewer": {"__typename": "Viewer"}}
        code, message = await client.error("{ viewer { __typename __typename } }")

    assert code == "GRAPHQL_PARSE_FAILED"
    assert message == "Syntax Error: Document contains more than 6 tokens. Parsing aborted."


async def test_a_body_of_256_kib_is_read_and_a_byte_more_is_not(reader: Client) -> None:
    body = b'{"query": "{ __typename }"}'
    bodies = [body + b" " * (524_288 - len(body)), body + b" " * (524_289 - len(body))]

    fits, is_longer = [await send(reader, body) for body in bodies]

    assert (fits.status_code, fits.json()) == (200, TYPENAME)
    assert (is_longer.status_code, is_longer.json()) == (413, refusal("A request has at most 524288 bytes"))


LISTS: list[tuple[str, Callable[[list[str]], Any]]] = [
    ("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename } }", lambda ids: {"ids": ids}),
    (
        "query ($filter: ConversationFilter) { conversations(filter: $filter) { totalCount } }",
        lambda ids: {"filter": {"ids": ids}},
    ),
    ("query ($ids: [ID!]) { bookings(filter: {ids: $ids}) { totalCount } }", lambda ids: {"ids": ids}),
]


@pytest.mark.parametrize(("document", "variables"), LISTS)
async def test_a_list_of_250_is_looked_up_and_one_of_251_is_refused(
    reader: Client, document: str, variables: Callable[[list[str]], Any]
) -> None:
    type_ = t.Booking if "bookings" in document else t.Conversation
    ids = [encode_id(type_, 1, number) for number in range(1, 252)]
    await reader.data(document, **variables(ids[:250]))

    answer = await reader.answer(document, **variables(ids))

    assert answer == refusal("A list has at most 250 items, not 251")


@pytest.mark.parametrize(
    "document",
    ["{{ nodes(ids: [{}]) {{ __typename }} }}", "{{ conversations(filter: {{ids: [{}]}}) {{ totalCount }} }}"],
)
async def test_a_list_in_the_document_is_as_long_as_one_in_a_variable(reader: Client, document: str) -> None:
    ids = [f'"{encode_id(t.Conversation, 1, number)}"' for number in range(1, 252)]
    await reader.data(document.format(" ".join(ids[:250])))

    answer = await reader.answer(document.format(" ".join(ids)))

    assert answer == refusal("A list has at most 250 items, not 251")


async def test_a_default_of_251_is_refused_like_a_value(reader: Client) -> None:
    ids = " ".join(f'"{number}"' for number in range(251))
    answer = await reader.answer(f"query ($ids: [ID!]! = [{ids}]) {{ nodes(ids: $ids) {{ __typename }} }}")

    assert answer == refusal("A list has at most 250 items, not 251")


async def test_a_mutation_reports_251_bookings_as_a_user_error(
    client: Client, connection: asyncpg.Connection[Any]
) -> None:
    await world.store_application(connection)
    await world.store_world(connection)
    before = await world.dump(connection)
    document = """mutation ($ids: [ID!]!, $id: ID!) {
      connectBookings(input: {conversationId: $id, bookingIds: $ids}) { userErrors { code path } }
    }"""
    ids = [encode_id(t.Booking, 1, number) for number in range(20, 271)]

    data = await client.data(document, id=CONVERSATION, ids=ids)

    assert data == {"connectBookings": {"userErrors": [{"code": "TOO_MANY", "path": ["input", "bookingIds"]}]}}
    assert await world.dump(connection) == before


# Documents that would take long to validate, by the exceeded limit.
HOSTILE = [
    (("depth", "over 100", 12), "{" + "viewer {" * 101 + "__typename" + "}" * 102),
    (("repetition", "over 10000", 10_000), "{" + "__typename " * 143 + "}"),
    (("aliases", "over 1000", 30), "{ viewer { host { " + " ".join(f"a{n}: id" for n in range(1_001)) + " } } }"),
    (
        ("unknown fields and arguments", "over 250", 250),
        "{ viewer { "
        + " ".join(f"u{n}" for n in range(125))
        + " host { "
        + " ".join(f"u{n}" for n in range(126))
        + "}}}",
    ),
    (
        ("unknown fields and arguments", "over 250", 250),
        "{ viewer { host(" + " ".join(f"u{n}: 1" for n in range(251)) + ") { id } } }",
    ),
    (
        ("length", "over 20000", 20_000),
        "{ viewer { "
        + " ".join(f"a{n}: host {{ ...F }}" for n in range(150))
        + " } } fragment F on Host { "
        + "id " * 140
        + " }",
    ),
]


@pytest.mark.parametrize(("refusal", "document"), HOSTILE)
async def test_what_would_take_long_to_validate_is_refused_before(
    reader: Client, monkeypatch: pytest.MonkeyPatch, refusal: tuple[str, str, int], document: str
) -> None:
    monkeypatch.setattr("gql.execution.document.validate", None)

    assert await reader.answer(document) == too_complex(*refusal)


async def test_each_operation_of_a_document_may_have_all_aliases(reader: Client) -> None:
    aliases = " ".join(f"a{number}: __typename" for number in range(20))
    operations = " ".join(f"query O{number} {{ {aliases} }}" for number in range(60))

    body = {"query": operations, "operationName": "O59"}
    response = await reader.http.post("/graphql", json=body, headers=reader.headers)

    assert response.json()["data"] == {f"a{number}": "Query" for number in range(20)}


async def test_more_aliases_than_usual_can_be_configured(seeded_dsn: str) -> None:
    aliases = " ".join(f"a{number}: __typename" for number in range(1_500))
    async with serving(seeded_dsn, Statements(), max_aliases=1_500, max_root_fields=1_500) as client:
        assert len(await client.data(f"{{ {aliases} }}")) == 1_500


async def test_unknown_fields_are_reported_by_their_names(reader: Client) -> None:
    answer = await reader.answer("{ viewer { " + " ".join(f"u{n}" for n in range(250)) + " } }")

    assert answer["errors"][0]["message"] == "Cannot query field 'u0' on type 'Viewer'."


async def test_what_repeats_a_little_less_is_validated(reader: Client) -> None:
    assert await reader.answer("{" + "__typename " * 141 + "}") == TYPENAME


async def test_how_deep_the_schema_is_looked_into_is_not_counted(reader: Client) -> None:
    tools = get_introspection_query(input_value_deprecation=True, schema_description=True)
    assert (await reader.data(tools))["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"}

    code, message = await reader.error(
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
    )

    assert (code, message) == ("GRAPHQL_VALIDATION_FAILED", "Maximum introspection depth exceeded")
