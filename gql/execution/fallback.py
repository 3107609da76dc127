"""Where plans were not followed: counted by reason, for operators, and logged once per document and reason.

An answer does not show it, as graphql-core gives the same one, only slower. So a defect in a plan shows here alone.
"""

from __future__ import annotations

import structlog
from graphql import GraphQLError

from db.failure import UnavailableError
from gql.execution.plan import Plans
from gql.fields.field import FallbackError
from gql.log import FALLBACKS, describe

_log = structlog.stdlib.get_logger("inbox")

# Characters of an operation's name, which a client may make as long as a document.
_LONGEST_NAME = 100

# What a plan may well raise: clients' mistakes, nulls that spread, and a database that is away. graphql-core meets the
# same and reports it. Whatever else a plan raises may be a defect of the plan.
_EXPECTED = (FallbackError, GraphQLError, UnavailableError)


def count_fallback(error: Exception, plans: Plans, operation: str | None) -> None:
    """Count that a plan ended with `error`, and log it where the document has not had that reason before."""
    reason = str(error) if isinstance(error, FallbackError) else type(error).__name__
    FALLBACKS[reason] += 1
    if reason in plans.reported:
        return
    plans.reported.add(reason)
    operation = operation and operation[:_LONGEST_NAME]
    if isinstance(error, _EXPECTED):
        _log.info("plan not followed", reason=reason, operation=operation)
    else:
        _log.warning("plan not followed", reason=reason, operation=operation, exception=describe(error))
