"""The whole way of a webhook: created through the API, delivered by a worker, and listed with its attempts."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from db import tables as t
from gql.fields.node import encode_id
from tests.support.client import Client, Statements
from tests.support.delivering import Received, delivering, receiving, settled, until
from tests.support.replying import THERE, send
from tests.support.serving import serving
from tests.support.world import World

pytestmark = pytest.mark.anyio

CREATE = """mutation Create($input: CreateWebhookEndpointInput!) { it: createWebhookEndpoint(input: $input) {
  webhookEndpoint { id } secret userErrors { message } } }"""
ROTATE = """mutation Rotate($id: ID!) { it: rotateWebhookSecret(input: { endpointId: $id }) { secret } }"""
DELIVERIES = """query Deliveries($id: ID!) { webhookEndpoint(id: $id) { deliveries { nodes {
  id event state attemptCount dueAt messageId conversation { id }
  attempts { nodes { number status answer error } } } } } }"""
REDELIVER = "mutation Again($id: ID!) { redeliver(input: { deliveryIds: [$id] }) { userErrors { message } } }"
TEST = "mutation Test($id: ID!) { sendTestEvent(input: { endpointId: $id }) { userErrors { message } } }"
REPLAY = """mutation Replay($id: ID!, $after: String!) { it: replayWebhook(input: { endpointId: $id, after: $after }) {
  deliveryCount userErrors { message } } }"""


async def deliveries(client: Client, id_: str) -> list[dict[str, Any]]:
    """The deliveries to an endpoint, the oldest first."""
    found = (await client.data(DELIVERIES, id=id_))["webhookEndpoint"]["deliveries"]["nodes"]
    return list(reversed(found))


@pytest.fixture
async def filled(shared: World) -> World:
    """An account whose conversations have a channel, without webhooks."""
    await shared.fill(1)
    await shared.connection.execute("UPDATE conversations SET default_channel = 'EMAIL'")
    await shared.connection.execute("DELETE FROM webhook_attempts; DELETE FROM webhook_deliveries")
    await shared.connection.execute("DELETE FROM webhook_endpoints")
    return shared


async def test_a_reply_reaches_an_endpoint_that_was_created_through_the_api(shared_dsn: str, filled: World) -> None:
    answers = [503, 200]

    async def answer(_received: Received) -> web.Response:
        return web.Response(status=answers.pop(0) if answers else 200, text="Thanks")

    async with receiving(answer) as receiver, serving(shared_dsn, Statements(), webhook_loopback=True) as client:
        new = {"url": f"{receiver.url}/inbox", "events": ["MESSAGE_OUTGOING"]}
        created = (await client.data(CREATE, input=new))["it"]
        id_, secret = created["webhookEndpoint"]["id"], created["secret"]
        start = (await client.data("{ changesCursor }"))["changesCursor"]
        async with delivering(shared_dsn):
            await send(client, content="Hello")
            await receiver.wait(2)
            await settled(filled.connection)
            first = (await deliveries(client, id_))[0]
            newer = (await client.data(ROTATE, id=id_))["it"]["secret"]
            await client.data(REDELIVER, id=first["id"])
            await client.data(TEST, id=id_)
            await receiver.wait(4)
            replayed = (await client.data(REPLAY, id=id_, after=start))["it"]
            received = await receiver.wait(5)
            await settled(filled.connection)
            listed = await deliveries(client, id_)

    number = await filled.connection.fetchval("SELECT max(id) FROM messages")
    message = {"messageId": encode_id(t.Message, 1, number), "conversationId": THERE}
    assert [each.payload["data"] for each in received[:2]] == [message, message]
    ids = [each.id for each in received]
    again = next(each for each in received[2:] if each.id == ids[0])
    # A failed attempt, its repetition and `redeliver` have one id; the test event and the replayed one have others.
    assert ids.count(ids[0]) == 3
    assert len(set(ids)) == 3
    assert sorted(each.payload["type"] for each in received[2:]) == ["MESSAGE_OUTGOING", "MESSAGE_OUTGOING", "TEST"]
    Webhook(secret).verify(received[0].body, received[0].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(newer).verify(received[0].body, received[0].headers)
    for valid in (secret, newer):
        Webhook(valid).verify(again.body, again.headers)
    assert replayed == {"deliveryCount": 1, "userErrors": []}
    assert first["attempts"]["nodes"] == [
        {"number": 1, "status": 503, "answer": "Thanks", "error": None},
        {"number": 2, "status": 200, "answer": "Thanks", "error": None},
    ]
    assert [(each["event"], each["state"], each["attemptCount"], each["dueAt"]) for each in listed] == [
        ("MESSAGE_OUTGOING", "DELIVERED", 3, None),
        ("TEST", "DELIVERED", 1, None),
        ("MESSAGE_OUTGOING", "DELIVERED", 1, None),
    ]
    assert [each["conversation"] for each in listed] == [{"id": THERE}, None, {"id": THERE}]


async def test_an_endpoint_that_the_worker_disabled_says_why_and_is_a_change(shared_dsn: str, filled: World) -> None:
    async def gone(_received: Received) -> web.Response:
        return web.Response(status=410)

    async with receiving(gone) as receiver, serving(shared_dsn, Statements(), webhook_loopback=True) as client:
        created = (await client.data(CREATE, input={"url": receiver.url, "events": ["TEST"]}))["it"]
        id_ = created["webhookEndpoint"]["id"]
        cursor = (await client.data("{ changesCursor }"))["changesCursor"]
        async with delivering(shared_dsn):
            await client.data(TEST, id=id_)
            await receiver.wait(1)
            await _until_disabled(filled, id_)
        shown = await client.data(
            """query($after: String!) { changes(after: $after) { changes { type operation nodeId
            node { ... on WebhookEndpoint { enabled disabledReason } } } } }""",
            after=cursor,
        )

    node = {"enabled": False, "disabledReason": "The endpoint answered with the status 410"}
    change = {"type": "WEBHOOK_ENDPOINT", "operation": "UPSERTED", "nodeId": id_, "node": node}
    assert shown == {"changes": {"changes": [change]}}


async def _until_disabled(shared: World, id_: str) -> None:
    """Wait until the endpoint is disabled."""

    async def is_disabled() -> bool:
        rows = await shared.connection.fetch("SELECT id FROM webhook_endpoints WHERE NOT enabled")
        return id_ in {encode_id(t.WebhookEndpoint, 1, row["id"]) for row in rows}

    await until(is_disabled)
