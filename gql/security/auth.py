"""Authentication: turns a request's `Authorization` header into a `Viewer`, or rejects the request.

A token is a JWT, signed with the configured secret (HS256) or with a key of the configured JWKS (RS256, ES256). Each
key has exactly one algorithm. The token's header only selects a key: `none`, or HS256 "signed" with a public key, finds
no key. Clients get the same answer for every reason; `Unauthenticated.reason` is for the log. Tokens are never logged.

Times are seconds since the epoch. `exp` is checked exactly; `nbf` and `iat` may be LEEWAY ahead of the server's clock.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

import jwt
from cachetools import TLRUCache
from jwt.algorithms import HMACAlgorithm

from db.scope import Viewer
from db.tables import CreatorType
from gql.security.jwks import KeySet, fetch_jwks
from gql.settings import ConfigurationError, Settings

IMPLIED = {"inbox_write": frozenset({"inbox_read"})}
SCOPES = frozenset({"inbox_read", "inbox_write", "bookings_read", "inquiries_read", "clients_read"})

ACTORS = {"user": CreatorType.USER, "application": CreatorType.APPLICATION}
MAX_ID = 2**63 - 1
MAX_TOKEN = 8 * 1024
MIN_SECRET = 32
LEEWAY = 30.0

CACHE_SIZE = 4_096
CACHE_SECONDS = 60.0


Reason = Literal[
    "no_token",
    "malformed",
    "too_long",
    "wrong_algorithm",
    "unknown_key",
    "bad_signature",
    "missing_claim",
    "bad_claim",
    "expired",
    "not_yet_valid",
    "wrong_audience",
    "wrong_issuer",
    "unknown_scope",
    "unknown_actor",
]

_REFUSED: Mapping[type[jwt.PyJWTError], Reason] = {
    jwt.InvalidSignatureError: "bad_signature",
    jwt.InvalidAudienceError: "wrong_audience",
    jwt.InvalidIssuerError: "wrong_issuer",
    jwt.MissingRequiredClaimError: "missing_claim",
}


class Unauthenticated(Exception):  # noqa: N818  # named like the error code, as Refused is
    """The request has no viewer. `challenge` is the 401's WWW-Authenticate header; `reason` is only for the log."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.challenge = "Bearer" if reason == "no_token" else 'Bearer error="invalid_token"'


def granted(scope: str) -> frozenset[str]:
    """The scopes in the space-separated `scope`, with those that they imply. Raises ValueError for an unknown one."""
    named = frozenset(scope.split())
    if unknown := named - SCOPES:
        raise ValueError(f"unknown scopes: {', '.join(sorted(unknown))}")
    return named.union(*(IMPLIED.get(name, frozenset()) for name in named))


def parse_subject(subject: str) -> tuple[CreatorType, int]:
    """Parse "user:12" or "application:65". Raises ValueError for anything else."""
    match = re.fullmatch(r"(user|application):([1-9][0-9]{0,18})", subject)
    if match is None or int(match[2]) > MAX_ID:
        raise ValueError('a subject is "user:ID" or "application:ID"')
    return ACTORS[match[1]], int(match[2])


def parse_duration(text: str) -> timedelta:
    """Parse "90s", "30m", "1h" or "7d". Raises ValueError for anything else, including zero."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if match is None:
        raise ValueError(f'"{text}" is no duration: write 90s, 30m, 1h or 7d')
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]
    return timedelta(**{unit: int(match[1])})


def mint(  # noqa: PLR0913  # each is a claim of the token
    settings: Settings,
    *,
    account: int,
    subject: str,
    scopes: Iterable[str],
    expires_in: timedelta,
    now: datetime | None = None,
) -> str:
    """Sign an HS256 token, valid from `now` (a datetime with a time zone) for `expires_in`.

    Raises ConfigurationError if no usable secret is configured; ValueError for an unknown scope, a bad subject or id.
    """
    key = _secret_key(settings)
    if key is None:
        raise ConfigurationError("INBOX_JWT_SECRET is not set: there is nothing to sign a token with")
    scope = " ".join(scopes)
    granted(scope)
    parse_subject(subject)
    if not _is_id(account):
        raise ValueError("an account is a positive integer of 64 bits")
    issued = (now or datetime.now(UTC)).timestamp()
    claims: dict[str, Any] = {
        "sub": subject,
        "account": account,
        "scope": scope,
        "aud": settings.jwt_audience,
        "iat": int(issued),
        "exp": int(issued + expires_in.total_seconds()),
    }
    if settings.jwt_issuer is not None:
        claims["iss"] = settings.jwt_issuer
    return jwt.encode(claims, key)


class Authenticator:
    """Turns bearer tokens into viewers. One per application, on one event loop. Raises ConfigurationError.

    A verified token is cached, by its SHA-256, for CACHE_SECONDS or until it expires. Before that, `exists` checks that
    the actor exists; its exceptions are passed on, because an unreachable database is not a rejection.
    `fetch` reads the JWKS from a path or URL, in a thread.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        exists: Callable[[Viewer], Awaitable[bool]] | None = None,
        fetch: Callable[[str], bytes] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._secret = _secret_key(settings)
        self._jwks = KeySet(settings.jwks, fetch or fetch_jwks, clock) if settings.jwks else None
        if self._secret is None and self._jwks is None:
            raise ConfigurationError("No key to verify tokens with: set INBOX_JWT_SECRET or INBOX_JWKS")
        self._exists = exists
        self._clock = clock
        # The values are (end of the entry, viewer).
        self._verified: TLRUCache[bytes, tuple[float, Viewer]] = TLRUCache(
            CACHE_SIZE, ttu=lambda _digest, entry, _now: entry[0], timer=clock
        )

    async def start(self) -> None:
        """Read the JWKS now instead of with the first token. Raises ConfigurationError if it has no usable key."""
        if self._jwks is not None:
            await self._jwks.read()

    async def authenticate(self, authorization: str | None) -> Viewer:
        """The viewer of an `Authorization` header. Raises Unauthenticated."""
        token = _bearer_token(authorization)
        digest = _digest(token)
        if (known := self._verified.get(digest)) is not None:
            return known[1]
        claims = self._decode(token, await self._key_of(token))
        now = self._clock()
        until = min(_check_times(claims, now), now + CACHE_SECONDS)
        viewer = _viewer(claims)
        if self._exists is not None and not await self._exists(viewer):
            raise Unauthenticated("unknown_actor")
        self._verified[digest] = until, viewer
        return viewer

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Unauthenticated("malformed") from None
        algorithm = header.get("alg")
        if algorithm == "HS256" and self._secret is not None:
            return self._secret
        if algorithm not in ("RS256", "ES256") or self._jwks is None:
            raise Unauthenticated("wrong_algorithm")
        key = await self._jwks.find(algorithm, header.get("kid"))
        if key is None:
            raise Unauthenticated("unknown_key")
        return key

    def _decode(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                # PyJWT would read its own clock, and accept times given as strings.
                options={
                    "require": ["exp", "aud", "sub", "account", "scope"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_sub": False,
                },
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(_REFUSED.get(type(error), "malformed")) from None


def _secret_key(settings: Settings) -> jwt.PyJWK | None:
    secret = settings.jwt_secret.get_secret_value().encode() if settings.jwt_secret else b""
    if not secret:
        return None
    if len(secret) < MIN_SECRET:
        raise ConfigurationError(f"INBOX_JWT_SECRET is shorter than {MIN_SECRET} bytes")
    key = jwt.PyJWK(HMACAlgorithm.to_jwk(secret, as_dict=True), "HS256")
    try:
        key.Algorithm.prepare_key(key.key)
    except jwt.InvalidKeyError:
        raise ConfigurationError("INBOX_JWT_SECRET is a public key, a certificate or a JWK, not a secret") from None
    return key


def _bearer_token(authorization: str | None) -> str:
    scheme, _, rest = (authorization or "").strip(" ").partition(" ")
    token = rest.lstrip(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("no_token")
    if len(token) > MAX_TOKEN:
        raise Unauthenticated("too_long")
    if " " in token or not token.isascii():
        raise Unauthenticated("malformed")
    return token


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    """Return when the token expires. Raises Unauthenticated if it has expired or is not valid yet."""
    for name in ("nbf", "iat"):
        if name in claims and _moment(claims[name]) > now + LEEWAY:
            raise Unauthenticated("not_yet_valid")
    expires = _moment(claims["exp"])
    if now >= expires:
        raise Unauthenticated("expired")
    return expires


def _moment(value: object) -> float:
    """A NumericDate. Rejects infinities, which Python's JSON reader accepts: every token must expire."""
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    raise Unauthenticated("bad_claim")


def _viewer(claims: Mapping[str, Any]) -> Viewer:
    account, subject, scope = claims["account"], claims["sub"], claims["scope"]
    if not (_is_id(account) and isinstance(subject, str) and isinstance(scope, str)):
        raise Unauthenticated("bad_claim")
    try:
        actor_type, actor_id = parse_subject(subject)
    except ValueError:
        raise Unauthenticated("bad_claim") from None
    try:
        scopes = granted(scope)
    except ValueError:
        raise Unauthenticated("unknown_scope") from None
    return Viewer(account, actor_type, actor_id, scopes)


def _is_id(value: object) -> bool:
    """Whether `value` fits a bigint id column. A bool does not, although Python counts it as an int."""
    return type(value) is int and 0 < value <= MAX_ID
