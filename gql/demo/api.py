"""A client of the API in a few lines: a document over HTTP."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

TIMEOUT: Final = 10.0

# What a call raises if the server is busy, starts or stops, or has another answer than is expected.
FAILURES: Final = (OSError, HTTPException, ValueError, LookupError, TypeError)


class Api:
    """The API at `url`, for one token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        # No proxy of the environment leads to this machine.
        self._opener = build_opener(ProxyHandler({}))

    def ask(self, document: str, **variables: Any) -> Any:
        """The data of the answer. Raises one of `FAILURES`."""
        request = Request(  # noqa: S310  # the demo's own address
            self._url,
            json.dumps({"query": document, "variables": variables}).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=TIMEOUT) as response:
            return json.load(response)["data"]
