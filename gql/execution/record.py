"""What the log says of a request: one line, without anything that a client wrote but the operation's name."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import structlog

from db.scope import Viewer
from gql.execution.document import Operation

# Characters of a name, which a client may make as long as a document.
_LONGEST_NAME = 100

_log = structlog.stdlib.get_logger("inbox")


@dataclass(slots=True)
class Record:
    """What the log says of a request."""

    status: int = 0
    errors: int = 0
    refused: str | None = None
    viewer: Viewer | None = None
    operation: Operation | None = None
    cost: int | None = None
    codes: set[str] = field(default_factory=set)
    started: float = field(default_factory=time.perf_counter)

    def count(self, errors: list[dict[str, Any]]) -> None:
        """Remember how many errors are answered, and their codes."""
        self.errors = len(errors)
        self.codes = {str(error["extensions"]["code"]) for error in errors}

    def write(self, method: str) -> None:
        """The one line. What a client wrote is not in it, but for the operation's name."""
        name = self.operation.name if self.operation else None
        _log.info(
            "request",
            method=method,
            status=self.status,
            ms=round((time.perf_counter() - self.started) * 1_000, 1),
            type=self.operation.type.value if self.operation else None,
            operation=name and name[:_LONGEST_NAME],
            cost=self.cost,
            account=self.viewer.account_id if self.viewer else None,
            actor=f"{self.viewer.actor_type.lower()}:{self.viewer.actor_id}" if self.viewer else None,
            errors=self.errors,
            codes=sorted(self.codes),
            refused=self.refused,
        )
