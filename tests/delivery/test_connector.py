"""The connector of the demo: it verifies events, relays each message once, and reports what the channel says."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from typing import Any

import pytest

from gql.demo.api import Api
from gql.demo.channel import REASONS, InventedChannel
from gql.demo.connector import ChannelConnector
from gql.webhooks.signature import headers

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = f"whsec_{b64encode(KEY).decode()}"
GUEST = {"id": "guest", "memberType": "CLIENT"}
HOST = {"id": "host", "memberType": "HOST"}


class StandIn(Api):
    """An API with one message."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "")
        self.state = "QUEUED"
        self.is_away = False
        self.inputs: list[dict[str, Any]] = []

    def ask(self, document: str, **variables: Any) -> Any:
        """The message, or an empty payload."""
        if self.is_away:
            raise OSError
        if "Outgoing" in document:
            conversation = {"id": "there", "participants": {"nodes": [HOST, GUEST]}}
            delivery = {"state": self.state, "attempts": 1}
            return {"node": {"content": "Hello", "delivery": delivery, "conversation": conversation}}
        self.inputs.append(variables["input"])
        self.state = variables["input"].get("state", self.state)
        return {}


class Relay(ChannelConnector):
    """A connector whose channel is called by the test only, and accepts everything or nothing."""

    def __init__(self, api: Api, *, refused: float = 0) -> None:
        super().__init__(api)
        self._secret = SECRET
        self._channel = InventedChannel(self, refused=refused)

    def close(self) -> None:
        """Close what was never started."""
        self._channel.close()
        self._server.server_close()


@pytest.fixture
def api() -> StandIn:
    """The API."""
    return StandIn()


def event(*, key: bytes = KEY, age: int = 0) -> tuple[dict[str, str], bytes]:
    """A request for the message, as the server sends it."""
    body = json.dumps({"type": "MESSAGE_OUTGOING", "data": {"messageId": "m"}}).encode()
    return headers([key], "msg_1", int(time.time()) - age, body), body


SENT = {"messageId": "m", "state": "SENT", "externalId": "channel-m-1"}


def test_a_message_is_relayed_once_however_often_its_event_arrives(api: StandIn) -> None:
    relay = Relay(api)
    try:
        assert [relay.receive(*event()) for _ in range(3)] == [204, 204, 204]
        assert api.inputs == [SENT]
    finally:
        relay.close()


def test_what_the_channel_says_is_reported_and_the_guests_answer_delivered(api: StandIn) -> None:
    relay = Relay(api)
    try:
        relay.receive(*event())
        relay.delivered("channel-m-1")
        relay.read("channel-m-1")
        relay.answered("channel-m-1", "answer", "Thanks")
    finally:
        relay.close()

    assert api.inputs == [
        SENT,
        {"messageId": "m", "state": "DELIVERED"},
        {"messageId": "m", "state": "READ"},
        {"conversationId": "there", "senderId": "guest", "content": "Thanks", "externalId": "answer"},
    ]


def test_a_message_that_the_channel_refuses_is_reported_as_failed(api: StandIn) -> None:
    relay = Relay(api, refused=1)
    try:
        assert relay.receive(*event()) == 204
    finally:
        relay.close()

    (report,) = api.inputs
    assert report["state"] == "FAILED"
    assert report["error"] in REASONS


@pytest.mark.parametrize(
    "request_",
    [
        event(key=b"another"),
        event(age=3_600),
        event(age=-3_600),
        ({}, event()[1]),
        (event()[0], b"{}"),
    ],
)
def test_a_request_of_somebody_else_is_refused(api: StandIn, request_: tuple[dict[str, str], bytes]) -> None:
    relay = Relay(api)
    try:
        assert relay.receive(*request_) == 401
    finally:
        relay.close()
    assert api.inputs == []


def test_while_the_api_is_away_the_event_is_asked_for_again(api: StandIn) -> None:
    relay = Relay(api)
    api.is_away = True
    try:
        assert relay.receive(*event()) == 503
        api.is_away = False
        assert relay.receive(*event()) == 204
    finally:
        relay.close()
    assert api.inputs == [SENT]
