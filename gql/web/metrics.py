"""The counters of the process in Prometheus' text format. Each worker process has its own."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from gql.log import METRICS, Metric

_MEDIA = "text/plain; version=0.0.4; charset=utf-8"


async def show_metrics(_request: Request) -> Response:
    """Every counter, with a line for each value of its label."""
    lines = [line for metric in METRICS for line in _lines(metric)]
    return Response("\n".join(lines) + "\n", media_type=_MEDIA)


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.help}"
    yield f"# TYPE {metric.name} counter"
    for value, count in sorted(metric.counts.items()):
        yield f'{metric.name}{{{metric.label}="{_escape(value)}"}} {count}'


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
