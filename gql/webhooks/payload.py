"""The body of a webhook: what happened, when, and the ids or the answer of the endpoint's trusted document."""

from __future__ import annotations

from typing import Any

import orjson

from db import tables as t
from db.scope import Viewer
from db.statement import Row
from gql.execution.call import Parameters
from gql.execution.operation import Pipeline
from gql.execution.persisted import Reference
from gql.execution.record import Record
from gql.fields.node import encode_id
from gql.fields.scalars import show_date_time

_TABLES: dict[str, type[t.Table]] = {"message": t.Message, "conversation": t.Conversation}
_METHOD = "WEBHOOK"
_OK = 200


async def compose(pipeline: Pipeline, delivery: Row) -> bytes:
    """The body for a delivery that was taken, in JSON: `type`, `timestamp` and `data`.

    With a document, `data` is that of its answer, and `errors` are there if it has some. It is executed now, with the
    scopes of the endpoint, for who created it; its variables are the ids. The endpoint pays from a budget of its own.
    Raises RequestError if the document was not executed.
    """
    body: dict[str, Any] = {"type": delivery.event, "timestamp": show_date_time(delivery.at), "data": ids(delivery)}
    if delivery.document_id is not None:
        body |= await _answer(pipeline, delivery, body["data"])
    return orjson.dumps(body)


def ids(delivery: Row) -> dict[str, str]:
    """The global ids of the records that the event is about: `messageId` and `conversationId`, where there are any."""
    return {
        f"{name}Id": encode_id(table, delivery.account_id, delivery[name])
        for name, table in _TABLES.items()
        if delivery[name] is not None
    }


async def _answer(pipeline: Pipeline, delivery: Row, variables: dict[str, str]) -> dict[str, Any]:
    viewer = Viewer(
        delivery.account_id,
        t.CreatorType(delivery.created_by_type),
        delivery.created_by_id,
        frozenset(delivery.scopes),
        charged=f"webhook:{delivery.endpoint_id}",
    )
    reference = Reference(document_id=delivery.document_id)
    with Record(_METHOD, status=_OK, viewer=viewer) as record:
        result = await pipeline.answer(Parameters(reference, None, dict(variables), read_only=True), viewer, record)
    return result.payload
