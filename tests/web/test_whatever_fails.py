"""Every response of /graphql is JSON, with its headers and its line in the log, for any exception."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from gql.execution.admission import Admission
from gql.execution.executor import Executor
from gql.execution.persisted import PersistedDocuments
from gql.execution.run import Execution
from gql.security.auth import Authenticator
from gql.web.request import RequestReader
from gql.web.response import SECURITY
from tests.support.client import Statements
from tests.support.request import JSON, RESPONSE, send
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

ORIGIN = "https://app.example"


async def wait_for_cancelled(*_arguments: Any) -> None:
    """Wait for a task that is cancelled: the exception is not this task's own cancellation."""
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


async def fail(*_arguments: Any) -> None:
    """A defect."""
    raise LookupError("secret")


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
@pytest.mark.parametrize("broken", [fail, wait_for_cancelled])
@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (Authenticator, "authenticate"),
        (RequestReader, "read"),
        (Admission, "__aenter__"),
        (Executor, "execute"),
        (Execution, "run"),
    ],
)
async def test_an_error_is_answered_like_any_other(  # noqa: PLR0913, PLR0917  # each is a case
    seeded_dsn: str,
    statements: Statements,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    broken: Any,
    accept: str,
) -> None:
    monkeypatch.setattr(owner, method, broken)
    async with serving(seeded_dsn, statements, cors_origins=ORIGIN) as client:
        with structlog.testing.capture_logs() as lines:
            response = await send(client, {"query": "{ __typename }"}, accept=accept, origin=ORIGIN)

    (error,) = response.json()["errors"]
    assert response.status_code == 500
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["x-content-type-options"] == "nosniff"
    assert (error["message"], error["extensions"]["code"]) == ("Internal server error", "INTERNAL_SERVER_ERROR")
    (request,) = [line for line in lines if line["event"] == "request"]
    assert (request["status"], request["codes"]) == (500, ["INTERNAL_SERVER_ERROR"])
    (masked,) = [line for line in lines if line["event"] == "internal error"]
    assert masked["error_id"] == error["extensions"]["id"]


@pytest.mark.parametrize("document", ["{ __typename }", "{"])
async def test_without_other_origins_an_answer_has_the_security_headers_too(
    seeded_dsn: str, statements: Statements, document: str
) -> None:
    """Then no middleware adds them."""
    async with serving(seeded_dsn, statements, compress=False) as client:
        response = await client.post(document)

    assert {name.decode(): value.decode() for name, value in SECURITY}.items() <= dict(response.headers).items()


async def test_a_document_that_cannot_be_found_for_a_defect(
    seeded_dsn: str, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any) -> None:
        raise LookupError

    monkeypatch.setattr(PersistedDocuments, "operation", broken)
    async with serving(seeded_dsn, statements) as client:
        response = await client.post("{ __typename }")

    assert (response.status_code, response.json()["errors"][0]["message"]) == (500, "Internal server error")


def fail_at_once(*_arguments: Any, **_named: Any) -> None:
    """A defect in a function."""
    raise LookupError("secret")


@pytest.mark.parametrize("origins", ["", ORIGIN])
@pytest.mark.parametrize("broken", ["log_request", "graphiql_page"])
async def test_a_defect_outside_of_the_pipeline_is_answered_like_any_other(
    seeded_dsn: str, statements: Statements, monkeypatch: pytest.MonkeyPatch, broken: str, origins: str
) -> None:
    """Without other origins, no middleware is outside of the endpoint."""
    owner = {"log_request": "gql.execution.record", "graphiql_page": "gql.app"}[broken]
    monkeypatch.setattr(f"{owner}.{broken}", fail_at_once)
    async with serving(seeded_dsn, statements, cors_origins=origins, graphiql=True) as client:
        if broken == "graphiql_page":
            response = await send(client, method="GET", accept="text/html", origin=ORIGIN)
        else:
            response = await send(client, {"query": "{ __typename }"}, origin=ORIGIN)

    (error,) = response.json()["errors"]
    assert (response.status_code, error["message"]) == (500, "Internal server error")
    assert response.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers.get("access-control-allow-origin", "") == origins
