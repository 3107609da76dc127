"""JWKS: each key verifies one algorithm; the set is fetched when a key is unknown, and at most once a minute."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gql.security import jwks
from gql.security.auth import Authenticator
from gql.security.jwks import fetch_jwks
from gql.settings import ConfigurationError
from tests.support.tokens import (
    EC_KEY,
    OTHER_RSA_KEY,
    RSA_KEY,
    SECRET,
    URL,
    VIEWER,
    Clock,
    Issuer,
    configured,
    forged,
    jwk,
    refusal,
    signed,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(jwk(RSA_KEY, kid="r", use="sig", alg="RS256"), jwk(EC_KEY, kid="e"))


@pytest.fixture
def by_jwks(clock: Clock, issuer: Issuer) -> Authenticator:
    return Authenticator(configured(SECRET, URL), fetch=issuer, clock=clock)


async def test_secret_and_public_keys_verify_side_by_side(by_jwks: Authenticator) -> None:
    for header in (
        signed(),
        signed(kid="whatever"),
        signed(key=RSA_KEY, alg="RS256", kid="r"),
        signed(key=EC_KEY, alg="ES256", kid="e"),
        signed(key=RSA_KEY, alg="RS256"),
        signed(key=EC_KEY, alg="ES256"),
    ):
        assert (await by_jwks.authenticate(header)).viewer == VIEWER


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


async def test_without_a_kid_none_of_several_keys_is_used(by_jwks: Authenticator, issuer: Issuer) -> None:
    issuer.keys.append(jwk(OTHER_RSA_KEY, kid="o"))
    assert (await refusal(by_jwks, signed(key=RSA_KEY, alg="RS256"))).reason == "unknown_key"
    assert (await by_jwks.authenticate(signed(key=RSA_KEY, alg="RS256", kid="r"))).viewer == VIEWER


async def test_a_new_key_is_fetched_at_most_once_a_minute(by_jwks: Authenticator, clock: Clock, issuer: Issuer) -> None:
    await by_jwks.start()
    issuer.keys = [jwk(OTHER_RSA_KEY, kid="new")]
    header = signed(key=OTHER_RSA_KEY, alg="RS256", kid="new")
    clock.now += 59
    assert (await refusal(by_jwks, header)).reason == "unknown_key"
    assert issuer.asked == 1
    clock.now += 1
    assert (await by_jwks.authenticate(header)).viewer == VIEWER
    assert (await refusal(by_jwks, signed(key=RSA_KEY, alg="RS256", kid="r"))).reason == "unknown_key"
    assert issuer.asked == 2


async def test_keys_stay_while_an_issuer_is_down(by_jwks: Authenticator, clock: Clock, issuer: Issuer) -> None:
    await by_jwks.start()
    for asked, error, keys in ((2, OSError(), issuer.keys), (3, None, [])):
        issuer.error, issuer.keys = error, keys
        clock.now += 60
        for _ in range(2):
            assert (await refusal(by_jwks, signed(key=OTHER_RSA_KEY, alg="RS256", kid="new"))).reason == "unknown_key"
            assert (await by_jwks.authenticate(signed(key=RSA_KEY, alg="RS256", kid="r"))).viewer == VIEWER
        assert issuer.asked == asked


async def test_a_withdrawn_key_is_forgotten(by_jwks: Authenticator, clock: Clock, issuer: Issuer) -> None:
    header = signed(key=RSA_KEY, alg="RS256", kid="r")
    assert (await by_jwks.authenticate(header)).viewer == VIEWER
    issuer.keys = [jwk(EC_KEY, kid="e")]
    issuer.called.clear()
    clock.now += 600
    # The request that finds the keys outdated still uses them, so that no request waits for a slow issuer.
    assert (await by_jwks.authenticate(header)).viewer == VIEWER
    async with asyncio.timeout(10):
        await issuer.called.wait()
    # A request with an unknown key waits for the same fetch.
    await refusal(by_jwks, signed(key=RSA_KEY, alg="RS256", kid="unknown"))
    clock.now += 60
    assert (await refusal(by_jwks, header)).reason == "unknown_key"


async def test_many_at_once_wait_for_one_fetch(by_jwks: Authenticator, issuer: Issuer) -> None:
    headers = [signed({"sub": f"user:{id_}"}, RSA_KEY, "RS256", "r") for id_ in range(1, 21)]
    admitted = await asyncio.gather(*map(by_jwks.authenticate, headers))
    assert [each.viewer.actor_id for each in admitted] == list(range(1, 21))
    assert issuer.asked == 1


async def test_a_cancelled_request_leaves_the_fetch_to_the_others(clock: Clock, issuer: Issuer) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def fetch(location: str) -> bytes:
        asked.set()
        await answer.wait()
        return await issuer(location)

    authenticator = Authenticator(configured(jwks=URL), fetch=fetch, clock=clock)
    header = signed(key=RSA_KEY, alg="RS256", kid="r")
    first, second = (asyncio.create_task(authenticator.authenticate(header)) for _ in range(2))
    async with asyncio.timeout(10):
        await asked.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    answer.set()
    assert (await second).viewer == VIEWER
    assert issuer.asked == 1


@pytest.mark.parametrize("sent", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_an_issuer_that_sends_a_byte_at_a_time_is_left_in_time(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(jwks, "JWKS_TIMEOUT", 0.1)
    left = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        # A connection that is closed while bytes arrive is reset.
        with suppress(ConnectionResetError):
            while not reader.at_eof():
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await reader.read()
                writer.write(b"x")
        writer.close()
        left.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(ConfigurationError, match="not read within"):
            await Authenticator(configured(jwks=url)).start()
        async with asyncio.timeout(5):
            await left.wait()


@pytest.mark.parametrize("error", [OSError("down"), ClientError("down"), ValueError("down")])
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
    assert (await authenticator.authenticate(header)).viewer == VIEWER


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
            """Write no log."""

    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


async def test_a_url_is_read_up_to_the_limit_and_never_redirected(origin: str) -> None:
    assert await fetch_jwks(f"{origin}/small") == b"x" * 65_536
    with pytest.raises(ValueError, match="more than 65536 bytes"):
        await fetch_jwks(f"{origin}/large")
    for path, status in (("moved", 302), ("missing", 404)):
        with pytest.raises(ValueError, match=f"the status {status}$"):
            await fetch_jwks(f"{origin}/{path}")


def test_an_issuer_whose_name_is_not_resolved_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, ended = threading.Event(), threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_arguments, **_named: answers.wait(60) and [])
    monkeypatch.setattr(jwks, "JWKS_TIMEOUT", 0.1)

    def run() -> None:
        with pytest.raises(ConfigurationError, match="not read within"):
            # At its end, the loop waits for its executor.
            asyncio.run(Authenticator(configured(jwks="https://issuer.example/")).start())
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    has_ended = ended.wait(10)
    answers.set()
    thread.join()

    assert has_ended
