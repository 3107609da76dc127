"""The public keys that verify tokens: a JWKS from a file or URL, refreshed when a key is unknown or the set is old.

Each key has exactly one algorithm. Weak keys, private keys and keys that are not for signatures are ignored.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jwt
import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gql.security.resolver import NameResolver, SystemResolver
from gql.settings import ConfigurationError

# Seconds between two reads, until the keys are read again, and for a read from its beginning to its last byte.
JWKS_INTERVAL = 60.0
JWKS_MAX_AGE = 600.0
JWKS_TIMEOUT = 5.0
JWKS_MAX_BYTES = 64 * 1024
MIN_RSA_BITS = 2_048

log = structlog.get_logger(__name__)


class KeySet:
    """The public keys of a JWKS, selected by algorithm and `kid`. It never holds a private key.

    The JWKS is read again when a key is unknown, and in the background when it is older than JWKS_MAX_AGE, so that
    withdrawn keys disappear. Concurrent requests share one read, at most one per JWKS_INTERVAL. If the read fails, the
    previous keys stay. A file is first read by the constructor; a URL with the first token or by `read`.
    """

    def __init__(self, location: str, fetch: Callable[[str], Awaitable[bytes]], clock: Callable[[], float]) -> None:
        self._location = location
        self._fetch = fetch
        self._clock = clock
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._stale_at = self._next_read = -math.inf
        self._reading: asyncio.Task[None] | None = None
        if not _is_url(location):
            self._accept(_read_file(location))

    async def read(self) -> None:
        """Replace the keys. Raises ConfigurationError, and keeps the previous keys, if the JWKS has no usable one."""
        self._next_read = self._clock() + JWKS_INTERVAL
        try:
            async with asyncio.timeout(JWKS_TIMEOUT):
                keys = await self._read()
        except TimeoutError:
            raise ConfigurationError(f"INBOX_JWKS was not read within {JWKS_TIMEOUT:.0f} seconds") from None
        self._accept(keys)

    async def _read(self) -> tuple[jwt.PyJWK, ...]:
        if not _is_url(self._location):
            return await asyncio.to_thread(_read_file, self._location)
        # Not in a thread: the process could not end before a thread that waits for a server.
        try:
            text = await self._fetch(self._location)
        except (OSError, ClientError, ValueError) as error:
            raise _unreadable(error) from error
        return await asyncio.to_thread(_usable_keys, text)

    async def find(self, algorithm: str, kid: str | None) -> jwt.PyJWK | None:
        """The key that matches, or None if none or several match. A `kid` of None matches all keys of `algorithm`."""
        if self._clock() >= self._stale_at:
            self._read_soon()
        key = self._fitting(algorithm, kid)
        if key is None and (reading := self._read_soon()) is not None:
            # Other requests wait for the same read: cancelling this one must not cancel it.
            await asyncio.shield(reading)
            key = self._fitting(algorithm, kid)
        return key

    def _fitting(self, algorithm: str, kid: str | None) -> jwt.PyJWK | None:
        keys = [key for key in self._keys if key.algorithm_name == algorithm and kid in (None, key.key_id)]
        return keys[0] if len(keys) == 1 else None

    def _read_soon(self) -> asyncio.Task[None] | None:
        if self._reading is not None and not self._reading.done():
            return self._reading
        if self._clock() < self._next_read:
            return None
        self._reading = asyncio.create_task(self._read_or_keep())
        return self._reading

    async def _read_or_keep(self) -> None:
        try:
            await self.read()
        except ConfigurationError as error:
            log.warning("jwks_not_read", error=str(error))

    def _accept(self, keys: tuple[jwt.PyJWK, ...]) -> None:
        self._keys = keys
        self._stale_at = self._clock() + JWKS_MAX_AGE
        self._next_read = self._clock() + JWKS_INTERVAL


async def fetch_jwks(url: str) -> bytes:
    """The body at a URL, without redirects: keys come from the configured host only.

    Raises OSError, ClientError, and ValueError for another status than 200 or for more than JWKS_MAX_BYTES. The caller
    limits the time.
    """
    session = ClientSession(
        connector=TCPConnector(resolver=NameResolver(SystemResolver())),
        timeout=ClientTimeout(),
        cookie_jar=DummyCookieJar(),
        trust_env=True,
        auto_decompress=False,
    )
    async with session, session.get(url, headers={"Accept-Encoding": "identity"}, allow_redirects=False) as response:
        if response.status != HTTPStatus.OK:
            raise ValueError(f"the server answered with the status {response.status}")
        body = b""
        async for piece in response.content.iter_any():
            body = _limited(body + piece)
        return body


def _read_file(path: str) -> tuple[jwt.PyJWK, ...]:
    try:
        with Path(path).open("rb") as file:
            text = _limited(file.read(JWKS_MAX_BYTES + 1))
    except (OSError, ValueError) as error:
        raise _unreadable(error) from error
    return _usable_keys(text)


def _limited(text: bytes) -> bytes:
    if len(text) > JWKS_MAX_BYTES:
        raise ValueError(f"more than {JWKS_MAX_BYTES} bytes")
    return text


def _unreadable(error: Exception) -> ConfigurationError:
    return ConfigurationError(f"INBOX_JWKS cannot be read: {error}")


def _usable_keys(text: bytes) -> tuple[jwt.PyJWK, ...]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(error) from error
    listed = document.get("keys") if isinstance(document, dict) else None
    keys = tuple(key for jwk in listed if (key := _usable(jwk))) if isinstance(listed, list) else ()
    if not keys:
        raise ConfigurationError("INBOX_JWKS has no usable key: RSA of 2048 bits or more (RS256), or EC P-256 (ES256)")
    return keys


def _usable(jwk: Any) -> jwt.PyJWK | None:
    """The JWK as a key with its algorithm, or None if it is weak, private or for another use."""
    match jwk:
        case {"kty": "RSA"}:
            algorithm = "RS256"
        case {"kty": "EC", "crv": "P-256"}:
            algorithm = "ES256"
        case _:
            return None
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
        return None
    if not isinstance(jwk.get("kid"), str | None):
        return None
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except jwt.PyJWTError:
        return None
    public = key.key
    strong = isinstance(public, RSAPublicKey) and public.key_size >= MIN_RSA_BITS
    return key if strong or isinstance(public, EllipticCurvePublicKey) else None


def _is_url(location: str) -> bool:
    return location.lower().startswith(("http://", "https://"))
