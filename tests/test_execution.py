"""Planned execution answers as graphql-core does: the same data, errors, paths and order, for any document."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import GraphQLSchema
from hypothesis import HealthCheck, given, settings
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

import gql.schema
from db import tables as t
from gql.executor import run
from gql.node import encode_id
from gql.schema import build_schema
from tests.client import Client, Statements
from tests.conftest import serving
from tests.drawing import documents

pytestmark = pytest.mark.anyio

SCHEMA: GraphQLSchema = build_schema()._schema  # noqa: SLF001
IDS = [
    *(
        encode_id(table, 1, id_)
        for table in (t.Conversation, t.Booking, t.Host, t.Client, t.Source)
        for id_ in (1, 2, 3)
    ),
    encode_id(t.Message, 1, 5),
    encode_id(t.Participant, 1, 5),
    encode_id(t.Inquiry, 1, 1),
    encode_id(t.Conversation, 2, 1),
    encode_id(t.Application, 0, 1),
    encode_id(t.Account, 0, 1),
    encode_id(t.Conversation, 1, 999_999),
]


class ReferenceExecutor(run.LevelExecutor):
    """graphql-core alone."""

    complete_value = StrawberryGraphQLCoreExecutionContext.complete_value


@pytest.fixture(scope="module")
async def pair(seeded_dsn: str) -> AsyncIterator[tuple[Client, Client]]:
    """A client of the server, and one of the same server with graphql-core's executor."""
    async with serving(seeded_dsn, Statements()) as planned:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gql.schema, "LevelExecutor", ReferenceExecutor)
            reference = serving(seeded_dsn, Statements())
            async with reference as by_reference:
                yield planned, by_reference


async def compare(pair: tuple[Client, Client], document: str, variables: dict[str, Any]) -> dict[str, Any]:
    planned, reference = [json.loads((await client.post(document, **variables)).content) for client in pair]
    for answer in (planned, reference):
        for error in answer.get("errors", ()):
            error["extensions"].pop("id", None)
    assert json.dumps(planned) == json.dumps(reference)
    answered: dict[str, Any] = planned
    return answered


@settings(
    max_examples=int(os.environ.get("INBOX_DOCUMENTS_DRAWN", "2000")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=documents(SCHEMA, IDS))
async def test_any_document_is_answered_alike(pair: tuple[Client, Client], data: tuple[str, dict[str, Any]]) -> None:
    await compare(pair, *data)
