"""Errors for clients: each has a code, and none discloses internals of the server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from db.relations import ById, Many
from gql.execution.measure import DocumentWalk
from gql.log import MASKED
from tests.support.client import Client, Statements
from tests.support.serving import serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def reader(seeded_dsn: str) -> AsyncIterator[Client]:
    """One application for all tests that only read."""
    async with serving(seeded_dsn, Statements()) as client:
        yield client


def one(message: str, code: str, *places: tuple[int, int], **extensions: Any) -> dict[str, Any]:
    """A response with one error and no data. Locations are lines and columns."""
    error: dict[str, Any] = {"message": message, "extensions": {"code": code, **extensions}}
    if places:
        error["locations"] = [{"line": line, "column": column} for line, column in places]
    return {"errors": [error]}


async def test_a_document_that_cannot_be_parsed(reader: Client) -> None:
    assert await reader.answer("{ viewer {") == one(
        "Syntax Error: Expected Name, found <EOF>.", "GRAPHQL_PARSE_FAILED", (1, 11)
    )


@pytest.mark.parametrize(
    "document",
    [
        "# nothing",
        "{}",
        "{ conversations {} viewer {} }",
        "mutation {}",
        "{ viewer { ... {} } }",
        "fragment F on Query {} { ...F }",
        "\x00{ __typename }",
        '{ node(id: "\\ud800") { id } }',
        "{" * 4_000,
    ],
)
async def test_other_documents_that_cannot_be_parsed(reader: Client, document: str) -> None:
    code, _ = await reader.error(document)

    assert code == "GRAPHQL_PARSE_FAILED"


async def test_a_document_of_too_many_tokens(reader: Client) -> None:
    assert await reader.answer("{" + " __typename" * 5_000 + "}") == one(
        "Syntax Error: Document contains more than 5000 tokens. Parsing aborted.", "GRAPHQL_PARSE_FAILED", (1, 54992)
    )


async def test_a_document_that_is_not_valid(reader: Client) -> None:
    assert await reader.answer("{ nothing }") == one(
        "Cannot query field 'nothing' on type 'Query'. Did you mean 'booking'?", "GRAPHQL_VALIDATION_FAILED", (1, 3)
    )


async def test_at_most_twenty_errors_of_a_document_are_reported(reader: Client) -> None:
    answer = await reader.answer("{ viewer {" + "".join(f" no{place}" for place in range(100)) + "} }")

    assert len(answer["errors"]) == 20
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
    assert answer["errors"][-1]["message"] == "Too many validation errors, error limit reached. Validation aborted."


@pytest.mark.parametrize("document", ["fragment F on Query { __typename }", "type Query { a: Int }"])
async def test_a_document_without_an_operation(reader: Client, document: str) -> None:
    code, _ = await reader.error(document)

    assert code == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            "subscription { __typename }",
            "Anonymous Subscription must not select an introspection top level field.",
        ),
        ("subscription { messageAdded { id } }", "Cannot query field 'messageAdded' on type 'Subscription'."),
    ],
)
async def test_a_subscription_that_the_schema_does_not_have(reader: Client, document: str, message: str) -> None:
    assert await reader.answer(document) == one(message, "GRAPHQL_VALIDATION_FAILED", (1, 16))


async def test_one_of_several_operations_must_be_named(reader: Client) -> None:
    assert await reader.answer("query A { __typename } query B { __typename }") == one(
        "Give operationName: there are several operations", "BAD_USER_INPUT"
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "Variable '$id' has invalid value: Expected a value of non-null type 'ID!' to be provided."),
        ({"id": None}, "Variable '$id' has invalid value: Expected value of non-null type 'ID!' not to be None."),
        ({"id": 1.5}, "Variable '$id' has invalid value: ID cannot represent value: 1.5"),
        (
            {"id": ["x"]},
            "Variable '$id' has invalid value: ID cannot represent value: ['x']",
        ),
    ],
)
async def test_a_variable_of_another_type(reader: Client, variables: dict[str, Any], message: str) -> None:
    document = "query ($id: ID!) { node(id: $id) { id } }"

    assert await reader.answer(document, **variables) == one(message, "BAD_USER_INPUT", (1, 8))


async def test_a_nullable_variable_that_was_left_out_where_a_value_must_be(reader: Client) -> None:
    document = 'query ($id: ID = "x") { viewer { account { databaseId } } node(id: $id) { id } }'
    answer = await reader.answer(document, id=None)

    (error,) = answer["errors"]
    assert answer["data"] == {"viewer": {"account": {"databaseId": "1"}}, "node": None}
    assert (error["path"], error["extensions"]) == (["node"], {"code": "BAD_USER_INPUT"})


NESTINGS: list[Callable[[int], str]] = [
    lambda depth: "{ node(id: " + "[" * depth + "]" * depth + ") { id } }",
    lambda depth: "{ node(id: " + "{a:" * depth + "1" + "}" * depth + ") { id } }",
    lambda depth: "{" + "... {" * depth + "__typename" + "}" * depth + "}",
    lambda depth: "{ viewer" + "{ a" * depth + "}" * depth + "}",
    lambda depth: "query ($id: " + "[" * depth + "ID" + "]" * depth + ") { node(id: $id) { id } }",
    lambda depth: (
        "{...F0}"
        + "".join(f" fragment F{n} on Query {{...F{n + 1}}}" for n in range(depth))
        + f" fragment F{depth} on Query {{__typename}}"
    ),
]


@pytest.mark.parametrize("depth", [50, 100, 150, 200, 250, 300, 400, 700, 2_000])
@pytest.mark.parametrize("nest", NESTINGS)
async def test_deep_nesting_is_the_clients_error(reader: Client, nest: Callable[[int], str], depth: int) -> None:
    response = await reader.post(nest(depth))

    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    assert response.status_code == 200
    assert codes <= {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "OPERATION_TOO_COMPLEX"}


async def test_a_walk_that_goes_deeper_than_validation_is_the_clients_error(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(*_arguments: object) -> None:
        raise RecursionError

    monkeypatch.setattr(DocumentWalk, "measure_all", overflow)

    assert await reader.answer("{ __typename viewer { scopes } }") == one(
        "The document is nested too deeply", "GRAPHQL_PARSE_FAILED"
    )


async def test_deep_variables_are_the_clients_error(reader: Client) -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    code, _ = await reader.error("query ($id: ID!) { node(id: $id) { id } }", id=deep)

    assert code == "BAD_USER_INPUT"


async def test_missing_scopes_are_named_and_nothing_runs(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements) as client:
        guest = client.as_(1, scopes=["inbox_read"])
        await guest.data("{ __typename }")
        looked_up_the_actor = statements.take()
        answer = await guest.answer(
            'mutation { connectBookings(input: {conversationId: "x", bookingIds: []})'
            " { conversation { bookings { nodes { id } } inquiries { totalCount } } } }"
        )

    missing = ["bookings_read", "inbox_write", "inquiries_read"]
    assert answer == one(
        f"This document needs scopes that the token does not have: {', '.join(missing)}",
        "FORBIDDEN",
        requiredScopes=missing,
    )
    assert len(looked_up_the_actor) == 1
    assert statements.take() == []


async def fail(*_arguments: object) -> None:
    """A query that fails because of a defect of the server."""
    raise RuntimeError("relation conversations on 10.0.0.7 does not exist, says guest Ada")


async def test_a_failure_is_masked_and_the_rest_is_answered(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Many, "load", fail)

    response = await reader.post("{ viewer { account { databaseId } host { id } } }")

    (error,) = response.json()["errors"]
    assert response.status_code == 200
    assert response.json()["data"] == {"viewer": {"account": {"databaseId": "1"}, "host": None}}
    assert error == {
        "message": "Internal server error",
        "locations": [{"line": 1, "column": 35}],
        "path": ["viewer", "host"],
        "extensions": {"code": "INTERNAL_SERVER_ERROR", "id": error["extensions"]["id"]},
    }
    assert len(error["extensions"]["id"]) == 32


async def test_each_failure_has_an_id_of_its_own(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Many, "load", fail)
    monkeypatch.setattr(ById, "load", fail)
    MASKED.clear()

    answer = await reader.answer("{ viewer { actor { __typename } host { id } } }")

    assert answer["data"] == {"viewer": {"actor": None, "host": None}}
    assert len({error["extensions"]["id"] for error in answer["errors"]}) == 2
    assert "Ada" not in json.dumps(answer)
    assert MASKED == {"RuntimeError": 2}


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_a_failure_outside_of_execution_is_masked(
    reader: Client, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    async def find_nobody(*_arguments: object) -> None:
        raise ConnectionRefusedError("10.0.0.7:5432 refused the user inbox")

    monkeypatch.setattr("gql.app.exists", find_nobody)

    response = await reader.http.post(
        "/graphql",
        json={"query": "{ __typename }"},
        headers=reader.as_(2, f"user:{2**60}").headers | {"accept": accept},
    )

    (error,) = response.json()["errors"]
    assert response.status_code == 500
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert response.json() == one("Internal server error", "INTERNAL_SERVER_ERROR", id=error["extensions"]["id"])
