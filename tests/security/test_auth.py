"""Bearer tokens: which are accepted, which are rejected for which reason, and how long they are cached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from db.scope import Viewer
from db.tables import CreatorType
from gql.security import auth
from gql.security.auth import Authenticator
from gql.security.token import granted, mint, parse_duration
from gql.settings import ConfigurationError
from tests.support.tokens import (
    CLAIMS,
    NOW,
    RSA_KEY,
    SECRET,
    URL,
    VIEWER,
    Clock,
    configured,
    forged,
    is_cached,
    jwk,
    refusal,
    signed,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def by_secret(clock: Clock) -> Authenticator:
    return Authenticator(configured(SECRET), clock=clock)


@pytest.mark.parametrize(
    ("changes", "viewer"),
    [
        ({}, VIEWER),
        ({"sub": "application:65"}, Viewer(1, CreatorType.APPLICATION, 65, VIEWER.scopes)),
        (
            {"account": 2**63 - 1, "sub": f"user:{2**63 - 1}"},
            Viewer(2**63 - 1, CreatorType.USER, 2**63 - 1, VIEWER.scopes),
        ),
        ({"scope": "inbox_write"}, Viewer(1, CreatorType.USER, 12, frozenset({"inbox_read", "inbox_write"}))),
        ({"aud": ["else", "inbox-graphql"]}, VIEWER),
        ({"nbf": NOW + 30, "iat": NOW + 30.0}, VIEWER),
        ({"exp": NOW + 0.5}, VIEWER),
    ],
)
async def test_a_good_token_is_a_viewer(by_secret: Authenticator, changes: dict[str, Any], viewer: Viewer) -> None:
    assert (await by_secret.authenticate(signed(changes))).viewer == viewer


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer   {}", " Bearer {} "])
async def test_the_scheme_is_read_in_any_case(by_secret: Authenticator, header: str) -> None:
    assert (await by_secret.authenticate(header.format(signed().split()[1]))).viewer == VIEWER


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", signed().split()[1]])
async def test_no_token_is_challenged_without_an_error(by_secret: Authenticator, header: str | None) -> None:
    error = await refusal(by_secret, header)
    assert (error.reason, error.challenge) == ("no_token", "Bearer")


BAD_CLAIMS: list[tuple[str, list[Any], str]] = [
    *((claim, [None], "missing_claim") for claim in CLAIMS),
    ("exp", [NOW, NOW - 1], "expired"),
    ("exp", [str(NOW + 60), True, [], float("inf"), float("nan")], "bad_claim"),
    ("nbf", [NOW + 31], "not_yet_valid"),
    ("nbf", [str(NOW), False, float("-inf")], "bad_claim"),
    ("iat", [NOW + 31], "not_yet_valid"),
    ("iat", [{}], "bad_claim"),
    ("aud", ["inbox", ["inbox"], {"inbox-graphql": 1}, 1], "wrong_audience"),
    ("account", ["1", True, 0, -1, 1.0, 2**63, [1]], "bad_claim"),
    ("sub", ["user:0", "user:", "user:01", "user:-1", "user:1:2", "user:1 ", "user:1\n", "user:\u0661"], "bad_claim"),
    ("sub", [f"user:{2**63}", "host:1", "User:1", "12", "", 12, ["user:12"]], "bad_claim"),
    ("scope", [["inbox_read"], 1, {}], "bad_claim"),
    ("scope", ["inbox_admin", "inbox_read admin", "INBOX_READ"], "unknown_scope"),
]


@pytest.mark.parametrize(
    ("claim", "value", "reason"), [(claim, value, reason) for claim, values, reason in BAD_CLAIMS for value in values]
)
async def test_a_bad_claim_is_refused(by_secret: Authenticator, claim: str, value: Any, reason: str) -> None:
    error = await refusal(by_secret, signed({claim: value}))
    assert (error.reason, error.challenge) == (reason, 'Bearer error="invalid_token"')


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (f"Bearer {'x' * 8_193}", "too_long"),
        (f"Bearer {'x' * 8_192}", "malformed"),
        (f"{signed()} x", "malformed"),
        (f"{signed()}é", "malformed"),
        (f"{signed()}\udc80", "malformed"),
        ("Bearer a.b", "malformed"),
        ("Bearer !!.!!.!!", "malformed"),
        ("Bearer W10.e30.e30", "malformed"),
        (f"{signed().rpartition('.')[0]}.", "bad_signature"),
        (signed(key="another secret of 32 bytes or more"), "bad_signature"),
        (signed(key=None, alg="none"), "wrong_algorithm"),
        (signed(alg="HS512", key=SECRET * 2), "wrong_algorithm"),
        (signed(key=RSA_KEY, alg="RS256"), "wrong_algorithm"),
        (forged({"alg": "hs256"}, SECRET.encode()), "wrong_algorithm"),
        (forged({"alg": ["HS256"]}, SECRET.encode()), "wrong_algorithm"),
        (forged({"kid": "r"}, SECRET.encode()), "wrong_algorithm"),
        (forged({"alg": "HS256", "kid": 1}, SECRET.encode()), "malformed"),
        (forged({"alg": "HS256", "crit": ["exp"]}, SECRET.encode()), "malformed"),
    ],
)
async def test_a_bad_token_is_refused(by_secret: Authenticator, header: str, reason: str) -> None:
    error = await refusal(by_secret, header)
    assert (error.reason, error.challenge) == (reason, 'Bearer error="invalid_token"')
    assert header.split()[1] not in repr(error)


async def test_the_issuer_counts_where_configured(clock: Clock) -> None:
    authenticator = Authenticator(configured(SECRET, issuer="https://issuer.test"), clock=clock)
    assert (await refusal(authenticator, signed())).reason == "missing_claim"
    assert (await refusal(authenticator, signed({"iss": "https://other.test"}))).reason == "wrong_issuer"
    assert (await authenticator.authenticate(signed({"iss": "https://issuer.test"}))).viewer == VIEWER


@pytest.mark.parametrize(
    ("secret", "jwks", "message"),
    [
        (None, None, "set INBOX_JWT_SECRET or INBOX_JWKS"),
        ("", "", "set INBOX_JWT_SECRET or INBOX_JWKS"),
        ("x" * 31, None, "INBOX_JWT_SECRET is shorter than 32 bytes"),
        ("x" * 31, URL, "INBOX_JWT_SECRET is shorter than 32 bytes"),
        (json.dumps(jwk(RSA_KEY)), None, "not a secret"),
        (
            RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
            None,
            "not a secret",
        ),
        (SECRET, "/nowhere/jwks.json", "INBOX_JWKS cannot be read: .*/nowhere/jwks.json"),
        (SECRET, "/", "INBOX_JWKS cannot be read"),
    ],
)
def test_settings_that_cannot_work_are_refused(secret: str | None, jwks: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Authenticator(configured(secret, jwks))


async def test_a_verified_token_is_remembered_for_a_minute(clock: Clock) -> None:
    asked: list[Viewer] = []

    async def exists(viewer: Viewer) -> bool:
        asked.append(viewer)
        return True

    authenticator = Authenticator(configured(SECRET), exists=exists, clock=clock)
    header = signed()
    viewer = await authenticator.authenticate(header)
    clock.now += 59
    assert await authenticator.authenticate(header) is viewer
    assert await authenticator.authenticate(header.replace("Bearer", "bearer")) is viewer
    assert asked == [VIEWER]
    clock.now += 1
    await authenticator.authenticate(header)
    assert asked == [VIEWER, VIEWER]


async def test_a_token_says_when_it_expires_whether_it_is_remembered_or_not(
    by_secret: Authenticator, clock: Clock
) -> None:
    header = signed({"exp": NOW + 90})
    first = await by_secret.authenticate(header)
    clock.now += 1
    assert (await by_secret.authenticate(header)) is first
    assert first == (VIEWER, NOW + 90)


async def test_a_remembered_token_expires(by_secret: Authenticator, clock: Clock) -> None:
    header = signed({"exp": NOW + 10})
    await by_secret.authenticate(header)
    clock.now += 9
    assert is_cached(by_secret, header)
    clock.now += 1
    assert (await refusal(by_secret, header)).reason == "expired"


async def test_the_least_recently_used_token_is_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "CACHE_SIZE", 2)
    authenticator = Authenticator(configured(SECRET), clock=clock)
    first, second, third = (signed({"sub": f"user:{id_}"}) for id_ in (1, 2, 3))
    for header in (first, second, first, third):
        await authenticator.authenticate(header)
    assert [is_cached(authenticator, header) for header in (first, second, third)] == [True, False, True]


@pytest.mark.slow
async def test_of_a_hundred_thousand_tokens_a_bounded_number_is_remembered(clock: Clock) -> None:
    authenticator = Authenticator(configured(SECRET), clock=clock)
    headers = [signed({"sub": f"user:{id_}"}) for id_ in range(1, 100_001)]

    for header in headers:
        await authenticator.authenticate(header)

    assert [header for header in headers if is_cached(authenticator, header)] == headers[-auth.CACHE_SIZE :]
    # The only place where they are stored, by their hashes: nothing of a dropped token is left.
    assert len(authenticator._verified) == auth.CACHE_SIZE  # noqa: SLF001
    assert auth.CACHE_SIZE <= 10_000


async def test_a_rejected_token_is_not_cached(by_secret: Authenticator) -> None:
    for id_ in range(1, 101):
        await refusal(by_secret, signed({"sub": f"user:{id_}", "exp": NOW}))

    assert len(by_secret._verified) == 0  # noqa: SLF001


async def test_an_unknown_actor_is_refused_and_not_remembered(clock: Clock) -> None:
    answers: Iterator[bool] = iter([False, True])

    async def exists(_viewer: Viewer) -> bool:
        return next(answers)

    authenticator = Authenticator(configured(SECRET), exists=exists, clock=clock)
    assert (await refusal(authenticator, signed())).reason == "unknown_actor"
    assert (await authenticator.authenticate(signed())).viewer == VIEWER


async def test_a_database_that_is_away_is_no_refusal(clock: Clock) -> None:
    async def exists(_viewer: Viewer) -> bool:
        raise ConnectionError

    authenticator = Authenticator(configured(SECRET), exists=exists, clock=clock)
    with pytest.raises(ConnectionError):
        await authenticator.authenticate(signed())
    assert not is_cached(authenticator, signed())


async def test_a_minted_token_is_accepted_until_it_expires(clock: Clock) -> None:
    settings = configured(SECRET, issuer="https://issuer.test")
    authenticator = Authenticator(settings, clock=clock)
    token = mint(
        settings,
        account=7,
        subject="application:65",
        scopes=["inbox_write", "clients_read"],
        expires_in=timedelta(hours=1),
        now=datetime.fromtimestamp(NOW, UTC),
    )
    scopes = frozenset({"inbox_read", "inbox_write", "clients_read"})
    assert (await authenticator.authenticate(f"Bearer {token}")).viewer == Viewer(
        7, CreatorType.APPLICATION, 65, scopes
    )
    assert jwt.decode(token, options={"verify_signature": False})["iat"] == NOW
    clock.now += 3_600
    assert (await refusal(authenticator, f"Bearer {token}")).reason == "expired"


async def test_a_token_minted_now_is_valid_now() -> None:
    settings = configured(SECRET)
    token = mint(settings, account=1, subject="user:12", scopes=["inbox_read"], expires_in=timedelta(minutes=1))
    assert (await Authenticator(settings).authenticate(f"Bearer {token}")).viewer == VIEWER


def test_invalid_claims_are_not_minted() -> None:
    good: Callable[..., str] = partial(
        mint, account=1, subject="user:1", scopes=["inbox_read"], expires_in=timedelta(hours=1)
    )
    with pytest.raises(ConfigurationError, match="INBOX_JWT_SECRET is not set"):
        good(configured(jwks=URL))
    with pytest.raises(ValueError, match="unknown scopes: a, b"):
        good(configured(SECRET), scopes=["b", "inbox_read", "a"])
    with pytest.raises(ValueError, match="a subject is"):
        good(configured(SECRET), subject="user:0")
    with pytest.raises(ValueError, match="an account is"):
        good(configured(SECRET), account=0)


def test_writing_implies_reading() -> None:
    assert granted("inbox_write  bookings_read") == {"inbox_write", "inbox_read", "bookings_read"}
    assert granted("inbox_read") == {"inbox_read"}
    assert granted("") == frozenset()


def test_a_duration_is_a_number_and_a_unit() -> None:
    texts = ("90s", "30m", "1h", "7d")
    assert [parse_duration(text).total_seconds() for text in texts] == [90, 1_800, 3_600, 604_800]


@pytest.mark.parametrize("text", ["", "1", "h", "0h", "-1h", "1.5h", "1 h", "1h\n", "1w", "1H", "1h30m", "9999999999d"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)
