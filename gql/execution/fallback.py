"""Counts the operations that graphql-core executed instead of a plan, by reason, and logs them.

graphql-core returns the same result, only more slowly, so that a defect in a plan is visible only here.
"""

from __future__ import annotations

import structlog
from graphql import GraphQLError

from db.failure import UnavailableError
from gql.execution.plan import Plans
from gql.fields.field import FallbackError
from gql.log import FALLBACKS, describe

_log = structlog.stdlib.get_logger("inbox")

# The most characters of an operation's name in the log: a client may make it as long as a document.
_LONGEST_NAME = 100

# Expected exceptions of a plan: mistakes of clients, nulls in non-null fields, and an unavailable database.
# graphql-core reports them too. Any other exception may be a defect of the plan.
_EXPECTED = (FallbackError, GraphQLError, UnavailableError)


def count_fallback(error: Exception, plans: Plans, operation: str | None) -> None:
    """Count that a plan ended with `error`, and log each reason once per document."""
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
