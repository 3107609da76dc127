"""Bearer tokens: which become a viewer, which are refused and how, and what is remembered for how long."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr

from db.scope import Viewer
from db.tables import CreatorType
from gql import auth
from gql.auth import Authenticator, ConfigurationError, Unauthenticated, fetch_jwks, granted, mint, parse_duration
from gql.settings import Settings

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
SECRET = "a secret of 32 bytes, at the least"
URL = "https://issuer.test/jwks.json"
CLAIMS = {"sub": "user:12", "account": 1, "scope": "inbox_read", "aud": "inbox-graphql", "exp": NOW + 3_600}
VIEWER = Viewer(1, CreatorType.USER, 12, frozenset({"inbox_read"}))

RSA_KEY = rsa.generate_private_key(65_537, 2_048)
OTHER_RSA_KEY = rsa.generate_private_key(65_537, 2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        """Tell the time, in seconds since the epoch."""
        return self.now


class Issuer:
    """A JWKS URL: the keys that it publishes, what it fails with, and how often it was asked."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.error: Exception | None = None
        self.asked = 0

    def __call__(self, location: str) -> bytes:
        """Answer as `fetch` of an Authenticator."""
        assert location == URL
        self.asked += 1
        if self.error is not None:
            raise self.error
        return json.dumps({"keys": self.keys}).encode()


def configured(
    secret: str | None = None, jwks: str | None = None, issuer: str | None = None, audience: str = "inbox-graphql"
) -> Settings:
    key = None if secret is None else SecretStr(secret)
    return Settings(jwt_secret=key, jwks=jwks, jwt_issuer=issuer, jwt_audience=audience)


def jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **members: Any) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | members
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | members


def signed(changes: dict[str, Any] | None = None, key: Any = SECRET, alg: str = "HS256", kid: str | None = None) -> str:
    """A header with CLAIMS, changed; a claim of None is left out."""
    claims = {name: value for name, value in (CLAIMS | (changes or {})).items() if value is not None}
    # The lower layer: PyJWT's own `encode` would correct some of what is to be refused here.
    token = jwt.PyJWS().encode(json.dumps(claims).encode(), key, alg, {} if kid is None else {"kid": kid})
    return f"Bearer {token}"


def forged(header: dict[str, Any], key: bytes) -> str:
    """A header whose token is signed by HMAC-SHA-256 with whatever bytes, which PyJWT would not do."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, CLAIMS)]
    signature = base64.urlsafe_b64encode(hmac.digest(key, b".".join(parts), "sha256")).rstrip(b"=")
    return f"Bearer {b'.'.join([*parts, signature]).decode()}"


async def refusal(authenticator: Authenticator, header: str | None) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as caught:
        await authenticator.authenticate(header)
    assert authenticator.cached(header) is None
    return caught.value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def by_secret(clock: Clock) -> Authenticator:
    return Authenticator(configured(SECRET), clock=clock)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(jwk(RSA_KEY, kid="r", use="sig", alg="RS256"), jwk(EC_KEY, kid="e"))


@pytest.fixture
def by_jwks(clock: Clock, issuer: Issuer) -> Authenticator:
    return Authenticator(configured(SECRET, URL), fetch=issuer, clock=clock)


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
    assert await by_secret.authenticate(signed(changes)) == viewer


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer   {}", " Bearer {} "])
async def test_the_scheme_is_read_in_any_case(by_secret: Authenticator, header: str) -> None:
    assert await by_secret.authenticate(header.format(signed().split()[1])) == VIEWER


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
    assert await authenticator.authenticate(signed({"iss": "https://issuer.test"})) == VIEWER


async def test_secret_and_public_keys_verify_side_by_side(by_jwks: Authenticator) -> None:
    for header in (
        signed(),
        signed(kid="whatever"),
        signed(key=RSA_KEY, alg="RS256", kid="r"),
        signed(key=EC_KEY, alg="ES256", kid="e"),
        signed(key=RSA_KEY, alg="RS256"),
        signed(key=EC_KEY, alg="ES256"),
    ):
        assert await by_jwks.authenticate(header) == VIEWER


async def test_a_key_is_used_with_its_own_algorithm_only(by_jwks: Authenticator, clock: Clock, issuer: Issuer) -> None:
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    without_secret = Authenticator(configured(jwks=URL), fetch=issuer, clock=clock)
    for header, reason in (
        (forged({"alg": "HS256", "kid": "r"}, pem), "bad_signature"),
        (forged({"alg": "RS256", "kid": "r"}, pem), "bad_signature"),
        (forged({"alg": "RS256", "kid": "r"}, SECRET.encode()), "bad_signature"),
        (signed(key=OTHER_RSA_KEY, alg="RS256", kid="r"), "bad_signature"),
        (signed(key=EC_KEY, alg="ES256", kid="r"), "unknown_key"),
        (signed(key=RSA_KEY, alg="RS256", kid="e"), "unknown_key"),
        (signed(key=RSA_KEY, alg="PS256", kid="r"), "wrong_algorithm"),
    ):
        assert (await refusal(by_jwks, header)).reason == reason
    assert (await refusal(without_secret, forged({"alg": "HS256", "kid": "r"}, pem))).reason == "wrong_algorithm"


async def test_without_a_kid_several_keys_fit_none(by_jwks: Authenticator, issuer: Issuer) -> None:
    issuer.keys.append(jwk(OTHER_RSA_KEY, kid="o"))
    assert (await refusal(by_jwks, signed(key=RSA_KEY, alg="RS256"))).reason == "unknown_key"
    assert await by_jwks.authenticate(signed(key=RSA_KEY, alg="RS256", kid="r")) == VIEWER


async def test_a_new_key_is_fetched_at_most_once_a_minute(by_jwks: Authenticator, clock: Clock, issuer: Issuer) -> None:
    await by_jwks.start()
    issuer.keys = [jwk(OTHER_RSA_KEY, kid="new")]
    header = signed(key=OTHER_RSA_KEY, alg="RS256", kid="new")
    clock.now += 59
    assert (await refusal(by_jwks, header)).reason == "unknown_key"
    assert issuer.asked == 1
    clock.now += 1
    assert await by_jwks.authenticate(header) == VIEWER
    assert (await refusal(by_jwks, signed(key=RSA_KEY, alg="RS256", kid="r"))).reason == "unknown_key"
    assert issuer.asked == 2


async def test_keys_outlive_an_issuer_that_is_down(by_jwks: Authenticator, clock: Clock, issuer: Issuer) -> None:
    await by_jwks.start()
    for asked, error, keys in ((2, OSError(), issuer.keys), (3, None, [])):
        issuer.error, issuer.keys = error, keys
        clock.now += 60
        for _ in range(2):
            assert (await refusal(by_jwks, signed(key=OTHER_RSA_KEY, alg="RS256", kid="new"))).reason == "unknown_key"
            assert await by_jwks.authenticate(signed(key=RSA_KEY, alg="RS256", kid="r")) == VIEWER
        assert issuer.asked == asked


async def test_a_withdrawn_key_is_forgotten(by_jwks: Authenticator, clock: Clock, issuer: Issuer) -> None:
    header = signed(key=RSA_KEY, alg="RS256", kid="r")
    assert await by_jwks.authenticate(header) == VIEWER
    issuer.keys = [jwk(EC_KEY, kid="e")]
    clock.now += 600
    # The keys at hand answer the request that finds them old, so that no request waits for a slow issuer.
    assert await by_jwks.authenticate(header) == VIEWER
    async with asyncio.timeout(10):
        while issuer.asked < 2:
            await asyncio.sleep(0.001)
    # A request with an unknown key does wait, until that same fetch is done.
    await refusal(by_jwks, signed(key=RSA_KEY, alg="RS256", kid="unknown"))
    clock.now += 60
    assert (await refusal(by_jwks, header)).reason == "unknown_key"


async def test_many_at_once_wait_for_one_fetch(by_jwks: Authenticator, issuer: Issuer) -> None:
    headers = [signed({"sub": f"user:{id_}"}, RSA_KEY, "RS256", "r") for id_ in range(1, 21)]
    viewers = await asyncio.gather(*map(by_jwks.authenticate, headers))
    assert [viewer.actor_id for viewer in viewers] == list(range(1, 21))
    assert issuer.asked == 1


async def test_a_cancelled_request_leaves_the_fetch_to_the_others(clock: Clock, issuer: Issuer) -> None:
    asked, answer = threading.Event(), threading.Event()

    def fetch(location: str) -> bytes:
        asked.set()
        assert answer.wait(10)
        return issuer(location)

    authenticator = Authenticator(configured(jwks=URL), fetch=fetch, clock=clock)
    header = signed(key=RSA_KEY, alg="RS256", kid="r")
    first, second = (asyncio.create_task(authenticator.authenticate(header)) for _ in range(2))
    assert await asyncio.to_thread(asked.wait, 10)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    answer.set()
    assert await second == VIEWER
    assert issuer.asked == 1


async def test_a_slow_issuer_is_given_up(monkeypatch: pytest.MonkeyPatch, issuer: Issuer) -> None:
    monkeypatch.setattr(auth, "JWKS_TIMEOUT", 0.01)
    answer = threading.Event()

    def fetch(location: str) -> bytes:
        assert answer.wait(10)
        return issuer(location)

    with pytest.raises(ConfigurationError, match="not read within"):
        await Authenticator(configured(jwks=URL), fetch=fetch).start()
    answer.set()


@pytest.mark.parametrize("error", [OSError("down"), HTTPException("down"), ValueError("down")])
async def test_start_finds_a_wrong_url(by_jwks: Authenticator, issuer: Issuer, error: Exception) -> None:
    issuer.error = error
    with pytest.raises(ConfigurationError, match="INBOX_JWKS cannot be read: down"):
        await by_jwks.start()


async def test_a_file_is_read_again_for_a_new_key(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(RSA_KEY, kid="r")]}))
    authenticator = Authenticator(configured(jwks=str(path)), clock=clock)
    await authenticator.start()
    path.write_text(json.dumps({"keys": [jwk(EC_KEY, kid="e")]}))
    header = signed(key=EC_KEY, alg="ES256", kid="e")
    assert (await refusal(authenticator, header)).reason == "unknown_key"
    clock.now += 60
    assert await authenticator.authenticate(header) == VIEWER


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b"[" * 60_000,
        b'{"keys": []}' + b" " * 65_536,
        *(
            json.dumps({"keys": [key]}).encode()
            for key in (
                None,
                {},
                {"kty": ["RSA"]},
                {"kty": "RSA", "n": 5, "e": "AQAB"},
                {"kty": "oct", "k": "c2VjcmV0"},
                jwk(RSA_KEY, use="enc"),
                jwk(RSA_KEY, alg="RS512"),
                jwk(RSA_KEY, alg="HS256"),
                jwk(RSA_KEY, kid=1),
                jwk(EC_KEY, alg="RS256"),
                jwk(EC_KEY, crv="P-384"),
                jwk(ec.generate_private_key(ec.SECP384R1())),
                jwk(rsa.generate_private_key(65_537, 1_024)),  # noqa: S505 - it is to be refused
                RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True),
                ECAlgorithm.to_jwk(EC_KEY, as_dict=True),
            )
        ),
    ],
)
def test_a_file_without_a_usable_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^INBOX_JWKS (cannot be read: .+|has no usable key: .+)$"):
        Authenticator(configured(jwks=str(path)))


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
    assert authenticator.cached(header) is None
    viewer = await authenticator.authenticate(header)
    clock.now += 59
    assert authenticator.cached(header) is viewer
    assert await authenticator.authenticate(header.replace("Bearer", "bearer")) is viewer
    assert asked == [VIEWER]
    clock.now += 1
    assert authenticator.cached(header) is None
    await authenticator.authenticate(header)
    assert asked == [VIEWER, VIEWER]


async def test_a_remembered_token_expires(by_secret: Authenticator, clock: Clock) -> None:
    header = signed({"exp": NOW + 10})
    await by_secret.authenticate(header)
    clock.now += 9
    assert by_secret.cached(header) == VIEWER
    clock.now += 1
    assert (await refusal(by_secret, header)).reason == "expired"


async def test_the_least_recently_used_token_is_forgotten(
    by_secret: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHE_SIZE", 2)
    first, second, third = (signed({"sub": f"user:{id_}"}) for id_ in (1, 2, 3))
    await by_secret.authenticate(first)
    await by_secret.authenticate(second)
    assert by_secret.cached(first) is not None
    await by_secret.authenticate(third)
    assert [by_secret.cached(header) is not None for header in (first, second, third)] == [True, False, True]


async def test_an_unknown_actor_is_refused_and_not_remembered(clock: Clock) -> None:
    answers: Iterator[bool] = iter([False, True])

    async def exists(_viewer: Viewer) -> bool:
        return next(answers)

    authenticator = Authenticator(configured(SECRET), exists=exists, clock=clock)
    assert (await refusal(authenticator, signed())).reason == "unknown_actor"
    assert await authenticator.authenticate(signed()) == VIEWER


async def test_a_database_that_is_away_is_no_refusal(clock: Clock) -> None:
    async def exists(_viewer: Viewer) -> bool:
        raise ConnectionError

    authenticator = Authenticator(configured(SECRET), exists=exists, clock=clock)
    with pytest.raises(ConnectionError):
        await authenticator.authenticate(signed())
    assert authenticator.cached(signed()) is None


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
    assert await authenticator.authenticate(f"Bearer {token}") == Viewer(7, CreatorType.APPLICATION, 65, scopes)
    assert jwt.decode(token, options={"verify_signature": False})["iat"] == NOW
    clock.now += 3_600
    assert (await refusal(authenticator, f"Bearer {token}")).reason == "expired"


async def test_a_token_minted_now_is_valid_now() -> None:
    settings = configured(SECRET)
    token = mint(settings, account=1, subject="user:12", scopes=["inbox_read"], expires_in=timedelta(minutes=1))
    assert await Authenticator(settings).authenticate(f"Bearer {token}") == VIEWER


def test_what_no_token_may_say_is_not_minted() -> None:
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


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an HTTP server on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bodies = {"/small": b"x" * 65_536, "/large": b"x" * 65_537, "/moved": b""}
            self.send_response({"/moved": 302}.get(self.path, 200 if self.path in bodies else 404))
            self.send_header("Location", "/small")
            self.end_headers()
            self.wfile.write(bodies.get(self.path, b""))

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_url_is_read_up_to_the_limit_and_never_redirected(origin: str) -> None:
    assert fetch_jwks(f"{origin}/small") == b"x" * 65_536
    with pytest.raises(ValueError, match="more than 65536 bytes"):
        fetch_jwks(f"{origin}/large")
    for path, status in (("moved", 302), ("missing", 404)):
        with pytest.raises(OSError, match=f"HTTP Error {status}") as caught:
            fetch_jwks(f"{origin}/{path}")
        caught.value.close()  # type: ignore[attr-defined]
