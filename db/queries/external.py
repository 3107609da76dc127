"""External ids: a record that an application delivers again under the same id is stored once, without a time limit.

An id belongs to one creator and one kind of record in one account. A unique index on the records ensures this. Of two
simultaneous requests, the second one violates the index, is run again as a collision, and then finds the record.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import bindparam

from db import tables as t
from db.engine import Transaction
from db.problem import Problem, ProblemCode, reject
from db.queries import writing
from db.scope import ACCOUNT, Viewer, visible
from db.statement import Statement

MAX_EXTERNAL_ID = 255

_PATH = ["input", "externalId"]


async def find(
    transaction: Transaction, viewer: Viewer, table: type[t.TenantTable], external_id: str, digest: bytes
) -> int | None:
    """The id of the record that the viewer delivered under this external id.

    Raises `RejectedError` for an invalid external id, and for one that came with other content, which has another
    `digest`.
    """
    reject(problems(external_id))
    parameters = {ACCOUNT: viewer.account_id, "external_id": external_id, **_creator(viewer)}
    rows = await transaction.fetch(_find(table), parameters)
    if not rows:
        return None
    (row,) = rows
    if row.external_digest != digest:
        reject([Problem(ProblemCode.CONFLICT, "This external id was used with other content", _PATH)])
    return int(row.id)


@cache
def _find(table: type[t.TenantTable]) -> Statement:
    record: Any = table
    asked = (record.created_by_type, record.created_by_id, record.external_id)
    found = visible(table, record.id, record.external_digest)
    return Statement.of(found.where(*(column == bindparam(column.key) for column in asked)), table)


def _creator(viewer: Viewer) -> dict[str, Any]:
    return {"created_by_type": viewer.actor_type, "created_by_id": viewer.actor_id}


def problems(external_id: str) -> list[Problem]:
    """Problems of the value of an `externalId`."""
    found = writing.text_problems("An external id", _PATH[1], external_id, MAX_EXTERNAL_ID)
    if writing.is_blank(external_id):
        found.append(Problem(ProblemCode.BLANK, "An external id has at least one visible character", _PATH))
    return found
