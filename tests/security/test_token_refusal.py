"""Every rejected token gets the same bytes over HTTP, for any reason, and nothing runs."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from gql.security.auth import Authenticator
from tests.support.client import Client, Statements
from tests.support.database import recording
from tests.support.factories import store, store_account
from tests.support.request import send
from tests.support.serving import serving
from tests.support.tokens import CLAIMS, NOW, OTHER_RSA_KEY, RSA_KEY, SECRET, URL, Clock, Issuer, forged, jwk, signed

pytestmark = pytest.mark.anyio

ISSUER = {"iss": "https://issuer.test"}
GOOD = CLAIMS | ISSUER
# A mutation that would change something.
WRITING = {"query": 'mutation { createConversation(input: {subject: "New"}) { userErrors { code } } }'}
WRITTEN: dict[str, Any] = {"data": {"createConversation": {"userErrors": []}}}
BODY = b'{"errors":[{"message":"A valid bearer token is needed","extensions":{"code":"UNAUTHENTICATED"}}]}'
SPKI = PublicFormat.SubjectPublicKeyInfo
PUBLIC_KEYS = [RSA_KEY.public_key().public_bytes(encoding, SPKI) for encoding in (Encoding.PEM, Encoding.DER)]


def by_secret(**changes: object) -> str:
    """A token signed with the secret, valid except for these claims; a claim of None is omitted."""
    return signed(ISSUER | {"scope": "inbox_write"} | changes)


def by_key(**changes: object) -> str:
    """The same, signed with the issuer's key."""
    return signed(ISSUER | {"scope": "inbox_write"} | changes, RSA_KEY, "RS256", "r")


DEEP = base64.urlsafe_b64encode(b"[" * 6_000).rstrip(b"=").decode()
# Each with its reason in the log, so that none is rejected for another one.
REFUSED: list[tuple[str, str]] = [
    *(
        refused
        for made in (by_secret, by_key)
        for refused in (
            (made(exp=NOW), "expired"),
            (made(nbf=NOW + 60), "not_yet_valid"),
            (made(iat=NOW + 60), "not_yet_valid"),
            (made(aud="another"), "wrong_audience"),
            (made(iss="https://another.test"), "wrong_issuer"),
            *((made(**{claim: None}), "missing_claim") for claim in GOOD),
            (made(account="1"), "bad_claim"),
            (made(scope="inbox_write inbox_admin"), "unknown_scope"),
            # User 12 belongs to account 1 only; the others do not exist.
            (made(account=2), "unknown_actor"),
            (made(account=3), "unknown_actor"),
            (made(sub="user:999"), "unknown_actor"),
            (made(sub="application:12"), "unknown_actor"),
            (f"{made().rpartition('.')[0]}.", "bad_signature"),
        )
    ),
    (signed(GOOD, key=None, alg="none"), "wrong_algorithm"),
    (signed(GOOD, key=SECRET * 2, alg="HS512"), "wrong_algorithm"),
    (signed(GOOD, key="another secret of 32 bytes or more"), "bad_signature"),
    *((forged({"alg": "HS256", "kid": "r"}, public), "bad_signature") for public in PUBLIC_KEYS),
    (signed(GOOD, OTHER_RSA_KEY, "RS256", "r"), "bad_signature"),
    (signed(GOOD, RSA_KEY, "RS256", "withdrawn"), "unknown_key"),
    ("Bearer x", "malformed"),
    (f"Bearer {DEEP}.e30.e30", "malformed"),
    (f"Bearer {'x' * 8_192}", "malformed"),
    (f"Bearer {'x' * 8_193}", "too_long"),
    (f"Bearer {'.' * 8_192}", "malformed"),
    ("Bearer \xff\x01", "malformed"),
]


@asynccontextmanager
async def trusting(dsn: str, issuer: Issuer, clock: Clock, statements: Statements) -> AsyncIterator[Client]:
    """An application that accepts tokens of the secret and of the issuer, with this clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gql.app.Authenticator", partial(Authenticator, fetch=issuer, clock=clock))
        async with serving(dsn, statements, jwt_secret=SECRET, jwks=URL, jwt_issuer=ISSUER["iss"]) as client:
            yield client


@pytest.fixture(scope="module")
async def database(shared_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """The database: accounts 1 and 2; user 12 belongs to account 1."""
    connection = await asyncpg.connect(shared_dsn)
    for account in (1, 2):
        await store_account(connection, account)
    await store(connection, "users", account_id=1, id=12)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def inbox(shared_dsn: str, database: asyncpg.Connection) -> AsyncIterator[Client]:
    """The application for all tests with a stopped clock."""
    assert not database.is_closed()
    statements = Statements()
    with recording(statements):
        async with trusting(shared_dsn, Issuer(jwk(RSA_KEY, kid="r")), Clock(), statements) as client:
            yield client


def whole(response: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body."""
    return response.status_code, response.headers.raw, response.content


async def ask(client: Client, authorization: str) -> httpx.Response:
    """The answer to a mutation."""
    return await send(client, WRITING, authorization=authorization)


async def count(database: asyncpg.Connection) -> int:
    """The number of conversations."""
    return await database.fetchval("SELECT count(*) FROM conversations")  # type: ignore[no-any-return]


async def test_the_answer_says_only_that_the_token_is_invalid(inbox: Client) -> None:
    response = await ask(inbox, "Bearer x")

    assert (response.status_code, response.content) == (401, BODY)
    assert response.headers.get_list("www-authenticate") == ['Bearer error="invalid_token"']


@pytest.mark.parametrize(("authorization", "reason"), REFUSED)
async def test_every_token_is_refused_in_the_same_bytes(
    inbox: Client, database: asyncpg.Connection, authorization: str, reason: str
) -> None:
    expected, before = whole(await ask(inbox, "Bearer x")), await count(database)
    inbox.statements.take()

    for _ in range(2):
        with capture_logs() as logs:
            response = await ask(inbox, authorization)

        assert whole(response) == expected
        assert [(line["refused"], line["account"]) for line in logs] == [(reason, None)]
    # The only statement is the lookup of the actor, and only for a valid signature.
    assert len(inbox.statements.take()) == (2 if reason == "unknown_actor" else 0)
    assert await count(database) == before


@pytest.mark.parametrize("authorization", [by_secret(), by_key()])
async def test_a_good_token_of_the_same_kind_is_taken(
    inbox: Client, database: asyncpg.Connection, authorization: str
) -> None:
    before = await count(database)

    response = await ask(inbox, authorization)

    assert (response.status_code, response.json()) == (200, WRITTEN)
    assert await count(database) == before + 1


async def test_a_rotated_key_is_refused_as_any_other_and_asked_for_once_a_minute(
    shared_dsn: str, database: asyncpg.Connection
) -> None:
    clock, issuer = Clock(), Issuer(jwk(RSA_KEY, kid="r"))
    new = signed(ISSUER | {"scope": "inbox_write"}, OTHER_RSA_KEY, "RS256", "new")
    async with trusting(shared_dsn, issuer, clock, Statements()) as client:
        expected = whole(await ask(client, "Bearer x"))
        assert (await ask(client, by_key())).status_code == 200
        issuer.keys = [jwk(OTHER_RSA_KEY, kid="new")]
        before = await count(database)

        # The keys were read for the first token. They are not read again within a minute, for any number of attempts.
        clock.now += 59
        for authorization in [new, *(signed(GOOD, OTHER_RSA_KEY, "RS256", f"no {n}") for n in range(20))]:
            assert whole(await ask(client, authorization)) == expected
        assert (issuer.asked, await count(database)) == (1, before)

        clock.now += 1
        assert (await ask(client, new)).status_code == 200
        for authorization in (by_key(), *(signed(GOOD, RSA_KEY, "RS256", f"no {n}") for n in range(20))):
            assert whole(await ask(client, authorization)) == expected
        assert (issuer.asked, await count(database)) == (2, before + 1)
