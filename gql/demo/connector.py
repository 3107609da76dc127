"""A channel's application, as an example: relays messages of hosts to guests, and messages of guests to hosts.

`.github/docs/connecting-a-channel.md` explains each step. What a real one needs beyond this: a store of what it has
relayed, and calls to a channel in place of `gql.demo.channel`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from gql.demo.api import FAILURES, TIMEOUT, Api
from gql.demo.channel import InventedChannel
from gql.demo.signature import is_genuine

_PATH: Final = "/channel"
# Bytes of an event. Those with ids only have less than one kilobyte.
_MAX_BODY: Final = 64 * 1024
# Seconds between two attempts to reach the API while it starts.
_AGAIN: Final = 0.5

_ENDPOINTS: Final = "{ webhookEndpoints(first: 100) { nodes { id url } } }"
_CREATE: Final = """mutation Connect($url: String!) {
  createWebhookEndpoint(input: {url: $url, events: [MESSAGE_OUTGOING]}) { secret userErrors { message } }
}"""
_REPLACE: Final = """mutation Reconnect($id: ID!, $url: String!) {
  updateWebhookEndpoint(input: {endpointId: $id, url: $url, enabled: true}) { userErrors { message } }
  rotateWebhookSecret(input: {endpointId: $id, keepPreviousHours: 0}) { secret userErrors { message } }
}"""
_MESSAGE: Final = """query Outgoing($id: ID!) {
  node(id: $id) {
    ... on Message {
      content
      delivery { state attempts }
      conversation { id participants { nodes { id memberType } } }
    }
  }
}"""
_REPORT: Final = """mutation Report($input: ReportDeliveryInput!) {
  reportDelivery(input: $input) { userErrors { message } }
}"""
_DELIVER: Final = """mutation Deliver($input: CreateMessageInput!) {
  createMessage(input: $input) { message { id } userErrors { message } }
}"""


class ChannelConnector:
    """Relays messages of the API's account from the beginning to the end of a `with` block."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._channel = InventedChannel(self)
        self._secret = ""
        # The relayed messages by the channel's ids: the message, its conversation, and the participant who answers.
        self._relayed: dict[str, tuple[str, str, str | None]] = {}
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._threads = [
            threading.Thread(target=self._server.serve_forever, name="channel", daemon=True),
            threading.Thread(target=self._connect, name="connecting", daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._channel.close()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(TIMEOUT)

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Relay the message of an event. Returns the status for the server, which sends it again unless it is 2xx."""
        if not self._secret or not is_genuine(self._secret, headers, body):
            return 401
        try:
            event = json.loads(body)
            if event["type"] == "MESSAGE_OUTGOING":
                self._relay(event["data"]["messageId"])
        except FAILURES:
            return 503
        return 204

    def _relay(self, id_: str) -> None:
        """Send a message to the channel, and report what it said.

        An event can arrive twice. A message that is no longer queued was relayed already.
        """
        message = self._api.ask(_MESSAGE, id=id_)["node"]
        delivery = message["delivery"]
        if delivery["state"] != "QUEUED":
            return
        conversation = message["conversation"]
        guests = [each["id"] for each in conversation["participants"]["nodes"] if each["memberType"] == "CLIENT"]
        try:
            # The channel recognizes a call that is repeated because its answer or the report was lost.
            external_id = self._channel.send(f"{id_}-{delivery['attempts']}")
        except ConnectionRefusedError as error:
            self._report(id_, "FAILED", error=str(error))
            return
        self._relayed[external_id] = id_, conversation["id"], guests[0] if guests else None
        self._report(id_, "SENT", externalId=external_id)

    def delivered(self, message_id: str) -> None:
        """The guest has the message."""
        self._report_later(message_id, "DELIVERED")

    def read(self, message_id: str) -> None:
        """The guest has read the message."""
        self._report_later(message_id, "READ")

    def answered(self, message_id: str, answer_id: str, text: str) -> None:
        """Deliver the guest's answer. With its external id it is stored once, however often it is delivered."""
        _, conversation, guest = self._relayed.pop(message_id)
        if guest is None:
            return
        answer = {"conversationId": conversation, "senderId": guest, "content": text, "externalId": answer_id}
        with suppress(*FAILURES):
            self._api.ask(_DELIVER, input=answer)

    def _report_later(self, message_id: str, state: str) -> None:
        with suppress(*FAILURES):
            self._report(self._relayed[message_id][0], state)

    def _report(self, id_: str, state: str, **rest: str) -> None:
        self._api.ask(_REPORT, input={"messageId": id_, "state": state, **rest})

    def _connect(self) -> None:
        """Create the webhook endpoint, or take over that of an earlier run, as soon as the API answers."""
        url = f"http://127.0.0.1:{self._server.server_port}{_PATH}"
        while not self._secret and not self._stopping.wait(_AGAIN):
            with suppress(*FAILURES):
                known = self._api.ask(_ENDPOINTS)["webhookEndpoints"]["nodes"]
                mine = [each["id"] for each in known if each["url"].endswith(_PATH)]
                if mine:
                    self._secret = self._api.ask(_REPLACE, id=mine[0], url=url)["rotateWebhookSecret"]["secret"]
                else:
                    self._secret = self._api.ask(_CREATE, url=url)["createWebhookEndpoint"]["secret"]


def _handler(connector: ChannelConnector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            known = self.path == _PATH and size <= _MAX_BODY
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(connector.receive(headers, self.rfile.read(size)) if known else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Write no lines between those of the server."""

    return Handler
