"""The guest of the demo: writes a message now and then, so that subscribers see changes.

It is a client as any other: an application that delivers messages of guests, over HTTP, from a thread.
"""

from __future__ import annotations

import json
import random
import threading
from contextlib import suppress
from http.client import HTTPException
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import ProxyHandler, Request, build_opener

# Seconds until the first message, and the least and the most between two.
_FIRST = 4.0
_BETWEEN = (8.0, 30.0)
_TIMEOUT = 10.0

_LOOK: Final = """query Guests {
  conversations(first: 25, filter: {closed: false, markedAsSpam: false}) {
    nodes { id participants { nodes { id member { __typename } } } }
  }
}"""
_WRITE: Final = """mutation Write($input: CreateMessageInput!) {
  createMessage(input: $input) { message { id } userErrors { message } }
}"""
MESSAGES: Final = (
    "Hello! Is it possible to check in at 2 pm already?",
    "We have just landed. Where do we find the keys?",
    "What is the password of the Wi-Fi?",
    "Is there a cot for our daughter, and a high chair?",
    "Our flight leaves late. May we stay until noon?",
    "How do we get from the station to you by bus?",
    "The heating does not start. Can you help us?",
    "Thank you so much, we had a wonderful week!",
    "Is there a place for two cars?",
    "Can you recommend a restaurant within walking distance?",
    "Is the beach suitable for small children?",
    "We arrive one person fewer. Does the price change?",
)


class WritingGuest:
    """Writes to the API at `url` from the beginning to the end of a `with` block."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        # No proxy of the environment leads to this machine.
        self._opener = build_opener(ProxyHandler({}))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="guest", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(_TIMEOUT)

    def _write_on(self) -> None:
        pause = _FIRST
        while not self._stopping.wait(pause):
            pause = random.uniform(*_BETWEEN)  # noqa: S311  # no secret
            # A demo that is busy or stops is no reason to report anything; the next message may be written.
            with suppress(OSError, HTTPException, ValueError, LookupError):
                self._write()

    def _write(self) -> None:
        conversations = self._ask(_LOOK)["conversations"]["nodes"]
        conversation, sender = random.choice(  # noqa: S311  # no secret
            [
                (conversation["id"], participant["id"])
                for conversation in conversations
                for participant in conversation["participants"]["nodes"]
                if participant["member"]["__typename"] == "Client"
            ]
        )
        content = random.choice(MESSAGES)  # noqa: S311  # no secret
        self._ask(_WRITE, input={"conversationId": conversation, "senderId": sender, "content": content})

    def _ask(self, document: str, **variables: Any) -> Any:
        request = Request(  # noqa: S310  # the demo's own address
            self._url,
            json.dumps({"query": document, "variables": variables}).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=_TIMEOUT) as response:
            return json.load(response)["data"]
