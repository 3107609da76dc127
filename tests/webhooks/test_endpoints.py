"""Webhook endpoints through the API: creating, changing and deleting them, and delivering again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from db import tables as t
from db.queries.endpoint import MAX_ENDPOINTS
from gql.fields.node import encode_id
from gql.security.token import SCOPES
from tests.oracles.ways import log_cursor
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.database import recording
from tests.support.serving import serving
from tests.support.world import World

pytestmark = pytest.mark.anyio

SHOWN = """webhookEndpoint { url events enabled disabledReason documentId scopes previousSecretUntil createdById }
  userErrors { code message path }"""
CREATE = f"""mutation Create($input: CreateWebhookEndpointInput!) {{
  it: createWebhookEndpoint(input: $input) {{ {SHOWN} }} }}"""
UPDATE = f"""mutation Update($input: UpdateWebhookEndpointInput!) {{
  it: updateWebhookEndpoint(input: $input) {{ {SHOWN} }} }}"""
DELETE = """mutation Delete($id: ID!) {
  it: deleteWebhookEndpoint(input: { endpointId: $id }) { deletedId userErrors { code message path } } }"""
REDELIVER = """mutation Redeliver($ids: [ID!]!) { it: redeliver(input: { deliveryIds: $ids }) {
  webhookDeliveries { messageId state attemptCount finishedAt } userErrors { code message path } } }"""
NEW = {"url": "https://hooks.example/new", "events": ["MESSAGE_OUTGOING", "TEST", "MESSAGE_OUTGOING"]}
HERE = encode_id(t.WebhookEndpoint, 1, world.ENDPOINT)
DISABLED = encode_id(t.WebhookEndpoint, 1, world.OTHER_ENDPOINT)
NOWHERE = encode_id(t.WebhookEndpoint, 1, 999)
FAILED = encode_id(t.WebhookDelivery, 1, world.DELIVERY)
DOCUMENTS = {
    "message": "query M($messageId: ID!) { node(id: $messageId) { ... on Message { content } } }",
    "guests": "query G($conversationId: ID) { conversation(id: $conversationId) { participants { nodes { member { "
    "... on Client { fullname } } } } } }",
    "write": "mutation W { createConversation(input: {}) { userErrors { code } } }",
    "two": "query A { viewer { scopes } } query B { viewer { scopes } }",
}


@pytest.fixture(scope="module")
async def shared(shared_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Like the common fixture, with trusted documents."""
    manifest = tmp_path_factory.mktemp("documents") / "documents.json"
    manifest.write_text(json.dumps(DOCUMENTS))
    statements = Statements()
    connection = await asyncpg.connect(shared_dsn)
    with recording(statements):
        async with serving(shared_dsn, statements, rate_limit=0, documents=manifest) as client:
            yield World(client, connection)
    await connection.close()


@pytest.fixture
async def client(shared: World) -> Client:
    """A user of an account with an endpoint that is enabled and one that is not."""
    await shared.fill(1)
    return shared.client


async def endpoint_row(shared: World, id_: int = world.ENDPOINT) -> dict[str, Any]:
    """The row of an endpoint."""
    row = await shared.connection.fetchrow("SELECT * FROM webhook_endpoints WHERE id = $1", id_)
    return dict(row or {})


async def test_an_endpoint_is_created_with_the_least_scopes(client: Client) -> None:
    answer = await client.data(CREATE, input=NEW)

    assert answer["it"] == {
        "webhookEndpoint": {
            "url": "https://hooks.example/new",
            "events": ["MESSAGE_OUTGOING", "TEST"],
            "enabled": True,
            "disabledReason": None,
            "documentId": None,
            "scopes": ["inbox_read"],
            "previousSecretUntil": None,
            "createdById": "1",
        },
        "userErrors": [],
    }


async def test_nulls_on_creation_count_as_absent(client: Client) -> None:
    answer = await client.data(CREATE, input=NEW | {"documentId": None, "scopes": None, "idempotencyKey": None})

    assert answer == await client.data(CREATE, input=NEW)
    assert answer["it"]["userErrors"] == []


async def test_only_what_happens_after_its_creation_is_sent_to_an_endpoint(shared: World, client: Client) -> None:
    await client.data(CREATE, input=NEW)

    number = await shared.connection.fetchval("SELECT after_number FROM webhook_endpoints WHERE url = $1", NEW["url"])
    # The creation itself is the fourth change.
    assert (number, await shared.connection.fetchval("SELECT number FROM change_counters")) == (3, 4)


REFUSED: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"url": "http://hooks.example"}, "INVALID", ["url"]),
    ({"url": "https://10.0.0.1"}, "INVALID", ["url"]),
    ({"url": "https://user@hooks.example"}, "INVALID", ["url"]),
    ({"url": "https://hooks.example:22"}, "INVALID", ["url"]),
    ({"url": "https://localhost"}, "INVALID", ["url"]),
    ({"url": "https://hooks.example/\0"}, "INVALID", ["url"]),
    ({"url": ""}, "INVALID", ["url"]),
    ({"url": f"https://hooks.example/{'x' * 2_048}"}, "TOO_LONG", ["url"]),
    ({"events": []}, "BLANK", ["events"]),
    ({"scopes": ["inbox_read", "Inbox_read"]}, "INVALID", ["scopes", "1"]),
    ({"scopes": []}, "INVALID", ["scopes"]),
    ({"documentId": "nothing"}, "NOT_FOUND", ["documentId"]),
    ({"documentId": "x" * 300}, "NOT_FOUND", ["documentId"]),
    ({"documentId": "write"}, "INVALID", ["documentId"]),
    ({"documentId": "two"}, "INVALID", ["documentId"]),
    ({"documentId": "guests", "scopes": ["inbox_read"]}, "INVALID", ["scopes"]),
    ({"documentId": "message", "events": ["MESSAGE_CREATED", "BOOKINGS_CHANGED"]}, "INVALID", ["documentId"]),
]


@pytest.mark.parametrize(("values", "code", "path"), REFUSED)
async def test_an_endpoint_that_breaks_a_rule_is_neither_created_nor_stored_by_a_change(
    shared: World, client: Client, values: dict[str, Any], code: str, path: list[str]
) -> None:
    before = await world.dump(shared.connection)

    created = await client.data(CREATE, input={**NEW, **values})
    changed = await client.data(UPDATE, input={**NEW, **values, "endpointId": HERE})

    for answer in (created["it"], changed["it"]):
        assert answer["webhookEndpoint"] is None
        assert [(error["code"], error["path"]) for error in answer["userErrors"]] == [(code, ["input", *path])]
    assert await world.dump(shared.connection) == before


async def test_a_document_brings_the_scopes_that_it_needs(client: Client) -> None:
    answer = await client.data(CREATE, input={**NEW, "documentId": "guests"})

    assert answer["it"]["webhookEndpoint"]["scopes"] == ["clients_read", "inbox_read"]
    changed = await client.data(UPDATE, input={"endpointId": HERE, "documentId": "message", "scopes": None})
    assert changed["it"]["webhookEndpoint"] == {
        "url": "https://hooks.example/1",
        "events": ["MESSAGE_CREATED"],
        "enabled": True,
        "disabledReason": None,
        "documentId": "message",
        "scopes": ["inbox_read"],
        "previousSecretUntil": None,
        "createdById": "1",
    }


async def test_a_document_cannot_need_scopes_that_the_token_lacks(shared: World, client: Client) -> None:
    limited = client.as_(1, scopes=SCOPES - {"clients_read"})
    await limited.data("{ __typename }")
    before = await world.dump(shared.connection)

    for document, values in ((CREATE, NEW), (UPDATE, {"endpointId": HERE, "scopes": None})):
        answer = await limited.data(document, input={**values, "documentId": "guests"})
        message = "The token does not have these scopes of the endpoint: clients_read"
        assert answer["it"] == {
            "webhookEndpoint": None,
            "userErrors": [{"code": "INVALID", "message": message, "path": ["input", "scopes"]}],
        }
    assert await world.dump(shared.connection) == before


async def test_a_token_with_fewer_scopes_can_only_disable_or_delete_an_endpoint(shared: World, client: Client) -> None:
    await client.data(UPDATE, input={"endpointId": HERE, "documentId": "guests", "scopes": None})
    limited = client.as_(1, scopes=["webhooks_manage"])
    before = await world.dump(shared.connection)

    for values in ({"url": "https://mine.example"}, {"events": ["TEST"]}, {"documentId": None}):
        answer = await limited.data(UPDATE, input={"endpointId": HERE, **values})
        assert [error["path"] for error in answer["it"]["userErrors"]] == [["input", "scopes"]]
    assert await world.dump(shared.connection) == before

    answer = await limited.data(UPDATE, input={"endpointId": HERE, "enabled": False})
    assert (answer["it"]["webhookEndpoint"]["enabled"], answer["it"]["userErrors"]) == (False, [])
    answer = await limited.data(UPDATE, input={"endpointId": HERE, "enabled": True})
    assert [error["path"] for error in answer["it"]["userErrors"]] == [["input", "scopes"]]
    assert (await limited.data(DELETE, id=HERE))["it"] == {"deletedId": HERE, "userErrors": []}


async def test_values_that_are_stored_already_change_nothing(shared: World, client: Client) -> None:
    before = await world.dump(shared.connection)

    same = {"endpointId": HERE, "url": "https://hooks.example/1", "events": ["MESSAGE_CREATED"], "enabled": True}
    answer = await client.data(UPDATE, input=same)

    assert answer["it"]["userErrors"] == []
    assert await world.dump(shared.connection) == before


@pytest.mark.parametrize("name", ["url", "events", "enabled"])
async def test_a_value_that_must_be_there_cannot_be_null(shared: World, client: Client, name: str) -> None:
    before = await world.dump(shared.connection)

    answer = await client.data(UPDATE, input={"endpointId": HERE, name: None})

    error = {"code": "BLANK", "message": f"{name} must have a value", "path": ["input", name]}
    assert answer["it"] == {"webhookEndpoint": None, "userErrors": [error]}
    assert await world.dump(shared.connection) == before


async def test_enabling_begins_anew(shared: World, client: Client) -> None:
    await shared.connection.execute("UPDATE webhook_endpoints SET failing_since = now() WHERE NOT enabled")

    answer = await client.data(UPDATE, input={"endpointId": DISABLED, "enabled": True})

    endpoint = answer["it"]["webhookEndpoint"]
    assert (endpoint["enabled"], endpoint["disabledReason"]) == (True, None)
    row = await endpoint_row(shared, world.OTHER_ENDPOINT)
    assert (row["failing_since"], row["after_number"]) == (None, 3)


async def test_an_endpoint_with_another_url_has_not_failed_yet(shared: World, client: Client) -> None:
    await shared.connection.execute("UPDATE webhook_endpoints SET failing_since = now()")

    await client.data(UPDATE, input={"endpointId": HERE, "events": ["TEST"]})
    assert (await endpoint_row(shared))["failing_since"] is not None
    await client.data(UPDATE, input={"endpointId": HERE, "url": "https://hooks.example/other"})

    assert (await endpoint_row(shared))["failing_since"] is None


async def test_a_deleted_endpoint_is_gone_and_its_deliveries_say_so(client: Client) -> None:
    cursor = (await client.data("{ changesCursor }"))["changesCursor"]

    assert (await client.data(DELETE, id=HERE))["it"] == {"deletedId": HERE, "userErrors": []}

    missing = {"code": "NOT_FOUND", "message": "There is no such webhook endpoint", "path": ["input", "endpointId"]}
    assert (await client.data(DELETE, id=HERE))["it"] == {"deletedId": None, "userErrors": [missing]}
    assert (await client.data(REDELIVER, ids=[FAILED]))["it"]["userErrors"] == [_disabled("deliveryIds", "0")]
    data = await client.data(
        """query($id: ID!, $after: String!) { node(id: $id) { ... on WebhookDelivery { state endpoint { id } } }
        changes(after: $after) { changes { type operation nodeId node { id } } } }""",
        id=FAILED,
        after=cursor,
    )
    change = {"type": "WEBHOOK_ENDPOINT", "operation": "REMOVED", "nodeId": HERE, "node": None}
    assert data == {"node": {"state": "FAILED", "endpoint": None}, "changes": {"changes": [change]}}


def _disabled(*path: str) -> dict[str, Any]:
    return {"code": "INVALID", "message": "The webhook endpoint is disabled", "path": ["input", *path]}


async def test_changes_of_endpoints_are_shown_only_with_the_scope(client: Client) -> None:
    cursor = (await client.data("{ changesCursor }"))["changesCursor"]
    await client.data(UPDATE, input={"endpointId": HERE, "enabled": False})
    limited = client.as_(1, scopes=SCOPES - {"webhooks_manage"})
    read = "query($a: String!, $t: [ChangeType!]) { changes(after: $a, types: $t) { changes { nodeId } } }"

    assert await client.data(read, a=cursor) == {"changes": {"changes": [{"nodeId": HERE}]}}
    assert await limited.data(read, a=cursor) == {"changes": {"changes": []}}
    error = await limited.error(read, a=cursor, t=["WEBHOOK_ENDPOINT"])
    assert error == ("FORBIDDEN", "These types require the scopes webhooks_manage")


async def test_an_account_has_a_limited_number_of_endpoints_also_if_they_are_created_at_once(
    shared: World, client: Client
) -> None:
    await shared.connection.execute("DELETE FROM webhook_endpoints")
    urls = [f"https://hooks.example/{place}" for place in range(MAX_ENDPOINTS + 3)]

    answers = await asyncio.gather(*(client.data(CREATE, input={**NEW, "url": url}) for url in urls))

    codes = [error["code"] for answer in answers for error in answer["it"]["userErrors"]]
    assert codes == ["TOO_MANY"] * 3
    assert await shared.connection.fetchval("SELECT count(*) FROM webhook_endpoints") == MAX_ENDPOINTS


async def test_a_delivery_is_sent_again_under_its_own_id(shared: World, client: Client) -> None:
    await shared.connection.execute(
        "UPDATE webhook_deliveries SET attempt_count = 10, failures = 10, finished_at = now()"
    )

    answer = await client.data(REDELIVER, ids=[FAILED, FAILED])

    assert answer["it"] == {
        "webhookDeliveries": [{"messageId": "msg_of 1", "state": "PENDING", "attemptCount": 10, "finishedAt": None}],
        "userErrors": [],
    }
    row = await shared.connection.fetchrow("SELECT *, due_at <= now() + interval '1 s' AS due FROM webhook_deliveries")
    assert row is not None
    assert (row["failures"], row["leased_until"], row["due"]) == (0, None, True)


async def test_a_delivery_that_is_being_sent_is_left_alone(shared: World, client: Client) -> None:
    await shared.connection.execute(
        "UPDATE webhook_deliveries SET state = 'PENDING', leased_until = now() + interval '1 minute', failures = 2"
    )
    before = await world.dump(shared.connection)

    answer = await client.data(REDELIVER, ids=[FAILED])

    assert answer["it"]["userErrors"] == []
    assert await world.dump(shared.connection) == before


REPLAY = """mutation Replay($input: ReplayWebhookInput!) { it: replayWebhook(input: $input) {
  webhookEndpoint { id } deliveryCount endCursor hasMore userErrors { code message path } } }"""
TEST = """mutation Test($id: ID!) { it: sendTestEvent(input: { endpointId: $id }) {
  webhookDelivery { event state endpoint { id } } userErrors { code message path } } }"""
THERE = encode_id(t.Conversation, 1, world.CONVERSATION)
WRITE = f"""mutation {{ createMessage(input: {{conversationId: "{THERE}", content: "x", channel: EMAIL}}) {{
  userErrors {{ code }} }} }}"""


async def test_past_events_are_sent_again_step_by_step(
    shared: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.queries.endpoint.REPLAYED_AT_ONCE", 1)
    cursor = (await client.data("{ changesCursor }"))["changesCursor"]
    for _ in range(2):
        await client.data(WRITE)
    end = (await client.data("{ changesCursor }"))["changesCursor"]

    steps = [(await client.data(REPLAY, input={"endpointId": HERE, "after": cursor}))["it"]]
    while steps[-1]["hasMore"]:
        again = {"endpointId": HERE, "after": steps[-1]["endCursor"]}
        steps.append((await client.data(REPLAY, input=again))["it"])

    assert len(steps) > 1
    assert [step["deliveryCount"] for step in steps if step["deliveryCount"]] == [1, 1]
    assert (steps[-1]["endCursor"], steps[-1]["userErrors"]) == (end, [])
    rows = await shared.connection.fetch("SELECT * FROM webhook_deliveries WHERE state = 'PENDING' ORDER BY id")
    assert [(row["event"], row["conversation_id"]) for row in rows] == [("MESSAGE_CREATED", world.CONVERSATION)] * 2
    assert len({row["message_id"] for row in rows}) == 2


async def test_a_cursor_that_the_log_does_not_continue_sends_nothing(shared: World, client: Client) -> None:
    before = await world.dump(shared.connection)

    unknown = await client.error(REPLAY, input={"endpointId": HERE, "after": log_cursor(1, 99)})
    foreign = await client.error(REPLAY, input={"endpointId": HERE, "after": log_cursor(2)})

    assert (unknown[0], foreign) == ("RESYNC_REQUIRED", ("BAD_USER_INPUT", "This is not a cursor of the change log"))
    assert await world.dump(shared.connection) == before


async def test_a_test_event_is_sent_to_an_endpoint_that_does_not_ask_for_it(shared: World, client: Client) -> None:
    answer = await client.data(TEST, id=HERE)

    assert answer["it"] == {
        "webhookDelivery": {"event": "TEST", "state": "PENDING", "endpoint": {"id": HERE}},
        "userErrors": [],
    }
    assert await shared.connection.fetchval("SELECT count(*) FROM webhook_deliveries WHERE due_at <= now()") == 1


async def test_nothing_is_sent_to_an_endpoint_that_is_disabled_or_does_not_exist(shared: World, client: Client) -> None:
    before = await world.dump(shared.connection)
    missing = {"code": "NOT_FOUND", "message": "There is no such webhook endpoint", "path": ["input", "endpointId"]}

    for id_, error in ((DISABLED, _disabled("endpointId")), (NOWHERE, missing)):
        assert (await client.data(TEST, id=id_))["it"] == {"webhookDelivery": None, "userErrors": [error]}
        answer = await client.data(REPLAY, input={"endpointId": id_, "after": log_cursor(1)})
        nothing = {"webhookEndpoint": None, "deliveryCount": None, "endCursor": None, "hasMore": None}
        assert answer["it"] == {**nothing, "userErrors": [error]}
    assert await world.dump(shared.connection) == before


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        ([], {"code": "BLANK", "message": "Give at least one id", "path": ["input", "deliveryIds"]}),
        (
            [encode_id(t.WebhookDelivery, 1, number) for number in range(1, 252)],
            {"code": "TOO_MANY", "message": "Give at most 250 ids", "path": ["input", "deliveryIds"]},
        ),
        (
            [FAILED, encode_id(t.WebhookDelivery, 1, 999)],
            {
                "code": "NOT_FOUND",
                "message": "There is no such webhook delivery",
                "path": ["input", "deliveryIds", "1"],
            },
        ),
    ],
)
async def test_all_deliveries_are_sent_again_or_none(
    shared: World, client: Client, ids: list[str], error: dict[str, Any]
) -> None:
    before = await world.dump(shared.connection)

    answer = await client.data(REDELIVER, ids=ids)

    assert answer["it"] == {"webhookDeliveries": [], "userErrors": [error]}
    assert await world.dump(shared.connection) == before


async def test_deliveries_are_listed_newest_first_by_state_and_event(shared: World, client: Client) -> None:
    for number, (state, event) in enumerate([("PENDING", "TEST"), ("DELIVERED", "TEST"), ("FAILED", "TEST")], 80):
        await shared.connection.execute(
            """INSERT INTO webhook_deliveries (account_id, id, endpoint_id, message_id, event, data, state, created_at)
            VALUES (1, $1, $2, 'msg_1', $3, '{}', $4, now())""",
            number,
            world.ENDPOINT,
            event,
            state,
        )

    data = await client.data(
        """query($id: ID!) { webhookEndpoint(id: $id) {
          all: deliveries { nodes { databaseId } }
          failed: deliveries(states: [FAILED]) { totalCount nodes { databaseId } }
          tests: deliveries(states: [FAILED, DELIVERED], events: [TEST], first: 1) {
            totalCount nodes { databaseId } pageInfo { hasNextPage } }
          none: deliveries(states: []) { totalCount } } }""",
        id=HERE,
    )

    assert data["webhookEndpoint"] == {
        "all": {"nodes": [{"databaseId": str(number)} for number in (82, 81, 80, world.DELIVERY)]},
        "failed": {"totalCount": 2, "nodes": [{"databaseId": "82"}, {"databaseId": str(world.DELIVERY)}]},
        "tests": {"totalCount": 2, "nodes": [{"databaseId": "82"}], "pageInfo": {"hasNextPage": True}},
        "none": {"totalCount": 0},
    }
