"""The secrets of webhook endpoints: returned once, encrypted in the database, replaced, and shown nowhere else."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from cryptography.fernet import Fernet
from pydantic import SecretStr

from db import tables as t
from gql.fields.node import decode_id, encode_id
from gql.security.secret import Secrets, new_secret
from gql.settings import ConfigurationError, Settings
from tests.oracles.ways import select_all
from tests.support import world
from tests.support.client import FERNET_KEY, Client, Statements
from tests.support.serving import serving
from tests.support.world import World

pytestmark = pytest.mark.anyio

CREATE = """mutation Create($input: CreateWebhookEndpointInput!) { it: createWebhookEndpoint(input: $input) {
  webhookEndpoint { id } secret userErrors { code message path } } }"""
ROTATE = """mutation Rotate($input: RotateWebhookSecretInput!) { it: rotateWebhookSecret(input: $input) {
  webhookEndpoint { id previousSecretUntil } secret userErrors { code message path } } }"""
NEW = {"url": "https://hooks.example/new", "events": ["TEST"]}
HERE = encode_id(t.WebhookEndpoint, 1, world.ENDPOINT)


@pytest.fixture
async def client(shared: World) -> Client:
    """A user of an account with an endpoint."""
    await shared.fill(1)
    return shared.client


async def stored(shared: World, id_: str) -> list[str]:
    """The secrets of an endpoint with which the next event is signed, newest first."""
    row = await shared.connection.fetchrow("SELECT * FROM webhook_endpoints WHERE id = $1", decode_id(id_).id)
    assert row is not None
    return [key.hex() for key in Secrets(shared.client.settings).signing_keys(SimpleNamespace(**dict(row)))]


def _key(secret: str) -> str:
    prefix, _, text = secret.partition("_")
    assert prefix == "whsec"
    return b64decode(text, validate=True).hex()


async def test_the_secret_that_is_returned_is_the_one_that_signs(shared: World, client: Client) -> None:
    answer = (await client.data(CREATE, input=NEW))["it"]

    assert len(b64decode(answer["secret"].removeprefix("whsec_"), validate=True)) == 32
    assert await stored(shared, answer["webhookEndpoint"]["id"]) == [_key(answer["secret"])]


async def test_a_repeated_creation_returns_the_first_endpoint_and_its_secret(shared: World, client: Client) -> None:
    keyed = {**NEW, "idempotencyKey": "k"}
    first = await client.data(CREATE, input=keyed)
    before = await world.dump(shared.connection)

    assert await client.data(CREATE, input={**keyed, "events": ["TEST", "TEST"]}) == first
    other = await client.data(CREATE, input={**keyed, "enabled": False})

    message = "This key was used with another input"
    error = {"code": "CONFLICT", "message": message, "path": ["input", "idempotencyKey"]}
    assert other["it"] == {"webhookEndpoint": None, "secret": None, "userErrors": [error]}
    assert await world.dump(shared.connection) == before


async def test_a_repeated_creation_returns_no_secret_that_was_made_later(client: Client) -> None:
    keyed = {**NEW, "idempotencyKey": "k"}
    first = (await client.data(CREATE, input=keyed))["it"]
    await client.data(ROTATE, input={"endpointId": first["webhookEndpoint"]["id"], "idempotencyKey": "l"})

    assert (await client.data(CREATE, input=keyed))["it"] == {**first, "secret": None}


async def test_another_actor_with_the_same_key_gets_an_endpoint_of_its_own(client: Client) -> None:
    keyed = {**NEW, "idempotencyKey": "k"}
    first = (await client.data(CREATE, input=keyed))["it"]

    other = (await client.as_(1, f"application:{world.APPLICATION}").data(CREATE, input=keyed))["it"]

    assert other["webhookEndpoint"]["id"] != first["webhookEndpoint"]["id"]
    assert other["secret"] != first["secret"]


async def test_two_secrets_are_valid_after_a_rotation(shared: World, client: Client) -> None:
    created = (await client.data(CREATE, input=NEW))["it"]
    id_ = created["webhookEndpoint"]["id"]
    earliest = datetime.now(UTC) + timedelta(hours=2) - timedelta(seconds=1)

    rotated = (await client.data(ROTATE, input={"endpointId": id_, "keepPreviousHours": 2}))["it"]

    assert await stored(shared, id_) == [_key(rotated["secret"]), _key(created["secret"])]
    until = datetime.fromisoformat(rotated["webhookEndpoint"]["previousSecretUntil"])
    assert earliest <= until <= datetime.now(UTC) + timedelta(hours=2)
    await shared.connection.execute("UPDATE webhook_endpoints SET previous_secret_until = now() - interval '1 s'")
    assert await stored(shared, id_) == [_key(rotated["secret"])]


async def test_a_secret_that_leaked_can_be_replaced_at_once(shared: World, client: Client) -> None:
    id_ = (await client.data(CREATE, input=NEW))["it"]["webhookEndpoint"]["id"]

    rotated = (await client.data(ROTATE, input={"endpointId": id_, "keepPreviousHours": 0}))["it"]

    assert await stored(shared, id_) == [_key(rotated["secret"])]
    assert await shared.connection.fetchval("SELECT count(previous_secret) FROM webhook_endpoints") == 0


async def test_a_repeated_rotation_replaces_nothing(shared: World, client: Client) -> None:
    created = (await client.data(CREATE, input=NEW))["it"]
    keyed = {"endpointId": created["webhookEndpoint"]["id"], "idempotencyKey": "k"}
    first = await client.data(ROTATE, input=keyed)
    before = await world.dump(shared.connection)

    assert await client.data(ROTATE, input=keyed) == first
    assert await world.dump(shared.connection) == before
    await client.data(ROTATE, input={**keyed, "idempotencyKey": "l"})
    assert (await client.data(ROTATE, input=keyed))["it"]["secret"] is None


@pytest.mark.parametrize("hours", [-1, 169])
async def test_a_secret_stays_valid_for_a_limited_time(shared: World, client: Client, hours: int) -> None:
    before = await world.dump(shared.connection)

    answer = (await client.data(ROTATE, input={"endpointId": HERE, "keepPreviousHours": hours}))["it"]

    message = "A secret can stay valid for 0 to 168 hours"
    error = {"code": "INVALID", "message": message, "path": ["input", "keepPreviousHours"]}
    assert answer == {"webhookEndpoint": None, "secret": None, "userErrors": [error]}
    assert await world.dump(shared.connection) == before


async def test_a_secret_is_neither_in_the_database_nor_in_logs_nor_in_other_answers(
    shared: World, client: Client
) -> None:
    keyed = {**NEW, "idempotencyKey": "k"}
    with structlog.testing.capture_logs() as lines:
        created = (await client.data(CREATE, input=keyed))["it"]
        id_ = created["webhookEndpoint"]["id"]
        rotated = (await client.data(ROTATE, input={"endpointId": id_, "idempotencyKey": "l"}))["it"]
        cursor = (await client.data("{ changesCursor }"))["changesCursor"][:-4]
        answers = [
            await client.answer(f"{{ webhookEndpoints {{ nodes {{ {select_all('WebhookEndpoint', 0)} }} }} }}"),
            await client.answer("query($a: String!) { changes(after: $a) { changes { nodeId } } }", a=cursor),
            await client.answer(CREATE, input={**keyed, "url": "https://10.0.0.1"}),
            await client.answer("{ webhookEndpoints { nodes { secret } } }"),
        ]

    texts = [str(lines), json.dumps(answers), *map(str, client.statements.take()), repr(client.settings)]
    dump = str(await world.dump(shared.connection))
    assert "webhook_endpoints" in dump
    for secret in (created["secret"], rotated["secret"]):
        key = b64decode(secret.removeprefix("whsec_"))
        for form in (secret, secret.removeprefix("whsec_"), key.hex(), str(key)[2:-1]):
            assert [text for text in (*texts, dump) if form in text] == []
    assert FERNET_KEY not in "".join((*texts, dump))


async def test_without_a_key_everything_works_but_what_signs(shared_dsn: str, shared: World) -> None:
    await shared.fill(1)
    before = await world.dump(shared.connection)
    message = "This server sends no webhooks: it has no INBOX_SECRET_KEY to encrypt secrets with"
    redeliver = """mutation($id: ID!) { redeliver(input: { deliveryIds: [$id] }) { userErrors { code } } }"""
    async with serving(shared_dsn, Statements(), rate_limit=0, secret_key=None) as client:
        assert await client.error(CREATE, input=NEW) == ("BAD_USER_INPUT", message)
        assert await client.error(ROTATE, input={"endpointId": HERE}) == ("BAD_USER_INPUT", message)
        delivery = encode_id(t.WebhookDelivery, 1, world.DELIVERY)
        assert await client.error(redeliver, id=delivery) == ("BAD_USER_INPUT", message)
        assert await world.dump(shared.connection) == before
        disabled = await client.data(
            """mutation($id: ID!) { updateWebhookEndpoint(input: { endpointId: $id, enabled: false }) {
            webhookEndpoint { enabled } } deleteWebhookEndpoint(input: { endpointId: $id }) { deletedId }
            createConversation(input: {}) { userErrors { code } } }""",
            id=HERE,
        )
    assert disabled == {
        "updateWebhookEndpoint": {"webhookEndpoint": {"enabled": False}},
        "deleteWebhookEndpoint": {"deletedId": HERE},
        "createConversation": {"userErrors": []},
    }


def settings_with(*keys: str) -> Settings:
    """Settings with these keys."""
    return Settings(secret_key=SecretStr(", ".join(keys)))


def test_a_new_key_is_put_before_the_old_one() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    secret = new_secret()
    encrypted = Secrets(settings_with(old)).encrypt(secret)

    both = Secrets(settings_with(new, old))

    assert both.decrypt(encrypted) == secret
    assert Secrets(settings_with(new)).decrypt(both.encrypt(secret)) == secret
    with pytest.raises(ConfigurationError, match="INBOX_SECRET_KEY lacks the key of a stored secret"):
        Secrets(settings_with(new)).decrypt(encrypted)


@pytest.mark.parametrize("key", ["short", "a" * 44, f"{FERNET_KEY},x", "ключ"])
def test_a_malformed_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Secrets(settings_with(key))

    message = "INBOX_SECRET_KEY must have keys of 32 bytes in URL-safe base64, separated by commas"
    assert (str(caught.value), caught.value.__cause__) == (message, None)


@pytest.mark.parametrize("values", [{}, {"secret_key": SecretStr(" ,")}])
def test_without_a_key_nothing_is_encrypted(values: dict[str, Any]) -> None:
    secrets = Secrets(Settings(**values))

    assert not secrets.available
    with pytest.raises(ConfigurationError, match="INBOX_SECRET_KEY is not set"):
        secrets.encrypt(new_secret())
