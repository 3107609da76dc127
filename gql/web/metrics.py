"""Counters of the process for operators, in Prometheus' text format. Each worker process has its own."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gql.execution.fallback import FALLBACKS

_MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_NAME = "inbox_plan_fallbacks_total"


async def show_metrics(_request: Request) -> Response:
    """How often graphql-core executed what a plan did not answer, by reason."""
    lines = [
        f"# HELP {_NAME} Operations, or fields of mutations, that no plan answered, by reason.",
        f"# TYPE {_NAME} counter",
        *(f'{_NAME}{{reason="{_escape(reason)}"}} {count}' for reason, count in sorted(FALLBACKS.items())),
    ]
    return Response("\n".join(lines) + "\n", media_type=_MEDIA)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
