"""A chart of the measured numbers, to scale for each document, with a description of the machine.

It has a bar for each server and document, whose length is the requests/s relative to the handwritten server's or,
without it, to this server's. Plain SVG, readable on light and dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from tests.bench.contender import CONTENDERS
from tests.bench.measure import MANY

_LABELS = {contender.name: contender.label for contender in CONTENDERS}

_WIDTH = 720
_LEFT = 260
# The length of a bar of 1, with room for a number behind the longest.
_UNIT = 360
_BAR = 16
_STEP = 20
_GAP = 14
_TOP = 50
_LINE = 15
# The most names with versions in a line.
_PACKAGES = 7

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 10px; fill: #59636e }
.server { fill: #2f81f7 } .strawberry { fill: #d1495b } .handwritten, .empty { fill: #8b949e }
.mercurius { fill: #2da44e } .postgraphile { fill: #bf8700 } .yoga { fill: #8250df }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9198a1 } }
"""


def draw(report: Mapping[str, Any]) -> str:
    """The chart of what `report.as_json` returns."""
    documents = report["documents"]
    longest = max(_share(servers, name) for servers in documents.values() for name in _measured(servers))
    parts: list[str] = []
    top = _TOP
    for document, servers in documents.items():
        names = _measured(servers)
        parts.append(_text(12, top + _BAR - 4, document, "group"))
        for name in names:
            parts.append(_bar(top, name, servers[name]["rps"], _share(servers, name) / max(longest, 1.0)))
            top += _STEP
        top += _GAP
    for line in _notes(report["machine"]):
        parts.append(_text(12, top + 4, line, "small"))
        top += _LINE
    title = _text(12, 26, "Requests/s, relative to a hand-written endpoint", "title")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top + 4}" width="{_WIDTH}" '
        f'height="{top + 4}" role="img" aria-label="Requests per second by document and server">\n'
        f"<style>{_STYLE}</style>\n{title}\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _measured(servers: Mapping[str, Any]) -> list[str]:
    return [name for name in _LABELS if servers.get(name)]


def _share(servers: Mapping[str, Any], name: str) -> float:
    """A server's requests/s compared with the hand-written one's or, without it, with this server's."""
    base: float = (servers.get("handwritten") or servers["server"])["rps"]
    share: float = servers[name]["rps"] / base
    return share


def _bar(top: int, name: str, rps: float, length: float) -> str:
    width = max(1.0, length * _UNIT)
    number = f"{rps:,.0f}" if rps >= 100 else f"{rps:.1f}"
    return (
        _text(90, top + _BAR - 4, _LABELS[name], "label")
        + f'<rect class="{name}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2"/>'
        + _text(_LEFT + width + 6, top + _BAR - 4, number, "number")
    )


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'


def _notes(machine: Mapping[str, Any]) -> list[str]:
    packages = [f"{package} {number}" for package, number in machine["packages"].items()]
    place = f"{machine['cpu']}, {machine['cores']} cores shared with PostgreSQL {machine['postgresql']} and the client"
    return [
        "Bars are to scale within a document. Where no hand-written server answers, they are relative to this server.",
        f"{place}; Python {machine['python']}, one process each, {MANY} clients",
        *(" · ".join(packages[start : start + _PACKAGES]) for start in range(0, len(packages), _PACKAGES)),
    ]
