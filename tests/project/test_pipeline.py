"""The pipeline without HTTP, as other transports use it."""

from __future__ import annotations

import pytest
import structlog

from db.engine import Database
from db.scope import Viewer
from db.tables.enums import CreatorType
from gql.app import build_pipeline
from gql.errors import Code, RequestError
from gql.execution.call import Parameters
from gql.execution.operation import ReadOnlyError
from gql.execution.persisted import Reference
from gql.execution.record import Record
from gql.security.token import SCOPES
from tests.support.client import make_settings

pytestmark = pytest.mark.anyio

VIEWER = Viewer(1, CreatorType.USER, 1, SCOPES)
MUTATION = "mutation M { createConversation(input: {}) { userErrors { code } } }"


async def test_an_operation_is_answered_and_recorded_for_any_transport(seeded_dsn: str) -> None:
    settings = make_settings(seeded_dsn)
    database = Database(seeded_dsn, pool_size=1)
    pipeline = build_pipeline(settings, database, None)
    await database.start()
    try:
        with structlog.testing.capture_logs() as lines:
            with Record("websocket") as record:
                query = Parameters(Reference("query Q { hosts(first: 1) { nodes { databaseId } } }"), None, None)
                result = await pipeline.answer(query, VIEWER, record)
            with Record("websocket") as record, pytest.raises(ReadOnlyError):
                await pipeline.answer(Parameters(Reference(MUTATION), None, None, read_only=True), VIEWER, record)
            with Record("websocket") as record, pytest.raises(RequestError) as caught:
                await pipeline.answer(Parameters(Reference("{"), None, None), VIEWER, record)
    finally:
        await database.stop()

    assert result.payload == {"data": {"hosts": {"nodes": [{"databaseId": "1"}]}}}
    assert caught.value.code is Code.GRAPHQL_PARSE_FAILED
    seen = [(line["method"], line["operation"], line["codes"]) for line in lines if line["event"] == "request"]
    assert seen == [
        ("websocket", "Q", []),
        ("websocket", "M", ["BAD_USER_INPUT"]),
        ("websocket", None, ["GRAPHQL_PARSE_FAILED"]),
    ]
