"""The documents of this folder, and the viewer of each."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.client import Client

FOLDER = Path(__file__).parent
DOCUMENTS = sorted(FOLDER.glob("*/*.graphql"))
_VIEWER = re.compile(r"# As ((?:user|application):\d+) of account (\d+)\b")


def as_written(client: Client, document: str) -> Client:
    """The client of the viewer in the document's first line."""
    viewer = _VIEWER.match(document)
    return client.as_(int(viewer[2]), viewer[1]) if viewer else client


def writes(document: str) -> bool:
    """Whether it is a mutation."""
    return "\nmutation" in document
