"""Executes operations by plans and by graphql-core, and asserts that both results are equal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
from graphql import GraphQLSchema

from db.engine import Database
from db.scope import Viewer
from db.tables.enums import CreatorType
from gql.context import Context
from gql.errors import RequestError, show
from gql.execution.call import Parameters
from gql.execution.document import Documents, Operation
from gql.execution.executor import Executor
from gql.execution.persisted import Reference
from gql.schema import build_schema
from gql.security.token import SCOPES
from gql.security.webhook import WebhookRules
from tests.support.client import make_settings
from tests.support.world import APPLICATION, store_application, store_world

VIEWER = Viewer(1, CreatorType.USER, 1, SCOPES)
CHANNEL = Viewer(1, CreatorType.APPLICATION, APPLICATION, SCOPES)
# The reference is slow on a busy machine, and timeouts are not a difference.
_PATIENCE = 600.0
# graphql-core drops what runs beside an error, some of it before it was awaited. Tests of errors pass this over.
DROPPED = "ignore:coroutine .* was never awaited:RuntimeWarning"


@dataclass
class Side:
    """One of the executors, with a database."""

    schema: GraphQLSchema
    documents: Documents
    executor: Executor
    database: Database
    webhooks: WebhookRules
    alone: bool
    """Whether graphql-core executes, without plans."""
    viewer: Viewer = VIEWER

    async def answer(self, operation: Operation, variables: dict[str, Any]) -> dict[str, Any]:
        """The response without the ids of masked errors."""
        context = Context(self.viewer, self.database, webhooks=self.webhooks)
        try:
            execution = self.executor.execution(
                self.executor.call(operation, Parameters(Reference(), None, variables), self.viewer)
            )
            if self.alone:
                result = await execution.run_alone(context, execution.operation)
            else:
                result = await execution.run(context)
        except RequestError as error:
            return {"errors": error.errors}
        finally:
            await context.close()
        if not result.errors:
            return {"data": result.data}
        errors = [show(error) for error in result.errors]
        for shown in errors:
            shown["extensions"].pop("id", None)
        return {"errors": errors, "data": result.data}


@dataclass
class Pair:
    """Both executors."""

    planned: Side
    reference: Side

    async def answer(self, document: str, name: str | None = None, /, **variables: Any) -> dict[str, Any]:
        """The result of the operation `name`, which is asserted to be equal for both."""
        # The document is read once for both, because neither changes it.
        try:
            operation = self.planned.documents.operation(document, name)
        except RequestError as error:
            return {"errors": error.errors}
        planned = await self.planned.answer(operation, variables)
        reference = await self.reference.answer(operation, variables)
        # Compared as text, because the order of keys matters.
        sides = [
            orjson.dumps(side) for side in (_without_raced(planned, reference), _without_raced(reference, planned))
        ]
        assert sides[0] == sides[1], f"{document}\n{variables}\n{planned}\n{reference}"
        return planned


def _without_raced(answer: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """An answer without errors that the other one lacks, in values that an error of both has made null.

    graphql-core cancels the fields beside an error. Whether one of them had failed by then depends on how long the
    database took, with the same executor too.
    """
    if answer == other or answer.get("data") is None:
        return answer
    errors, others = answer.get("errors", []), other.get("errors", [])
    nulled = {_nulled(answer["data"], error["path"]) for error in errors if error in others}
    kept = [error for error in errors if error in others or _nulled(answer["data"], error["path"]) not in nulled]
    return answer | ({"errors": kept} if kept else {})


def _nulled(data: Any, path: list[Any]) -> tuple[Any, ...]:
    """The path of the value that is null for the error of the field at `path`."""
    for place, key in enumerate(path):
        data = data[key]
        if data is None:
            return tuple(path[: place + 1])
    return tuple(path)


async def fill(dsn: str) -> None:
    """Store an account with rows of every table in an empty database."""
    connection = await asyncpg.connect(dsn)
    await store_application(connection)
    await store_world(connection)
    await connection.close()


@asynccontextmanager
async def pairing(dsn: str, reference_dsn: str | None = None) -> AsyncIterator[Pair]:
    """Both on one database; for writes, each on its own."""
    settings = make_settings(dsn, operation_timeout=_PATIENCE)
    databases = [Database(dsn, pool_size=2), Database(reference_dsn or dsn, pool_size=2)]
    rules = WebhookRules(settings, lambda _id: None)
    sides = []
    for alone, database in zip((False, True), databases, strict=True):
        schema = build_schema()
        documents, executor = Documents(schema, settings), Executor(schema, settings)
        sides.append(Side(schema._schema, documents, executor, database, rules, alone))  # noqa: SLF001
    try:
        for database in databases:
            await database.start()
        yield Pair(*sides)
    finally:
        for database in databases:
            await database.stop()
