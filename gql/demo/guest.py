"""The guest of the demo: writes a message now and then, so that subscribers see changes.

It is a client as any other: an application that delivers messages of guests, over HTTP, from a thread.
"""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from gql.demo.api import FAILURES, TIMEOUT, Api

# Seconds until the first message, and the least and the most between two.
_FIRST = 4.0
_BETWEEN = (8.0, 30.0)

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
    """Writes to the API from the beginning to the end of a `with` block."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="guest", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(TIMEOUT)

    def _write_on(self) -> None:
        pause = _FIRST
        while not self._stopping.wait(pause):
            pause = random.uniform(*_BETWEEN)  # noqa: S311  # no secret
            # A demo that is busy or stops is no reason to report anything; the next message may be written.
            with suppress(*FAILURES):
                self._write()

    def _write(self) -> None:
        conversations = self._api.ask(_LOOK)["conversations"]["nodes"]
        conversation, sender = random.choice(  # noqa: S311  # no secret
            [
                (conversation["id"], participant["id"])
                for conversation in conversations
                for participant in conversation["participants"]["nodes"]
                if participant["member"]["__typename"] == "Client"
            ]
        )
        content = random.choice(MESSAGES)  # noqa: S311  # no secret
        self._api.ask(_WRITE, input={"conversationId": conversation, "senderId": sender, "content": content})
