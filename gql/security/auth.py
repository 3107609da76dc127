"""Authentication: turns a request's `Authorization` header into a `Viewer`, or rejects the request.

A token is a JWT, signed with the configured secret (HS256) or with a key of the configured JWKS (RS256, ES256). Each
key has exactly one algorithm. The token's header only selects a key: `none`, or HS256 "signed" with a public key, finds
no key. Clients get the same answer for every reason; `UnauthenticatedError.reason` is for the log. Tokens are never
logged.

Times are seconds since the epoch. `exp` is checked exactly; `nbf` and `iat` may be LEEWAY ahead of the server's clock.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import jwt

from db.scope import Viewer
from db.tables import CreatorType
from gql.security.jwks import KeySet, fetch_jwks
from gql.security.token import granted, is_id, parse_subject, secret_key
from gql.settings import ConfigurationError, Settings

ACTORS = {"user": CreatorType.USER, "application": CreatorType.APPLICATION}
MAX_TOKEN = 8 * 1024
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


class Admitted(NamedTuple):
    """The viewer of a valid token, and when the token expires, in seconds since the epoch."""

    viewer: Viewer
    expires: float


class UnauthenticatedError(Exception):
    """The request has no viewer. `challenge` is the 401's WWW-Authenticate header; `reason` is only for the log."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.challenge = "Bearer" if reason == "no_token" else 'Bearer error="invalid_token"'


class Authenticator:
    """Turns bearer tokens into viewers. One per application, on one event loop. Raises ConfigurationError.

    A verified token is cached, by its SHA-256, for CACHE_SECONDS or until it expires. Before that, `exists` checks that
    the actor exists; its exceptions are passed on, because an unreachable database is not a rejection.
    `fetch` reads the JWKS at a URL.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        exists: Callable[[Viewer], Awaitable[bool]] | None = None,
        fetch: Callable[[str], Awaitable[bytes]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._secret = secret_key(settings)
        self._jwks = KeySet(settings.jwks, fetch or fetch_jwks, clock) if settings.jwks else None
        if self._secret is None and self._jwks is None:
            raise ConfigurationError("There is no key to verify tokens: set INBOX_JWT_SECRET or INBOX_JWKS")
        self._exists = exists
        self._clock = clock
        # Each with the time when it is forgotten, the least recently used one first.
        self._verified: OrderedDict[bytes, tuple[Admitted, float]] = OrderedDict()

    async def start(self) -> None:
        """Read the JWKS now instead of with the first token. Raises ConfigurationError if it has no usable key."""
        if self._jwks is not None:
            await self._jwks.read()

    async def authenticate(self, authorization: str | None) -> Admitted:
        """The viewer of an `Authorization` header, and the end of its token. Raises UnauthenticatedError."""
        token = _bearer_token(authorization)
        digest = _digest(token)
        if (known := self.find(digest)) is not None:
            return known
        claims = self._decode(token, await self._key_of(token))
        expires = _check_times(claims, self._clock())
        viewer = _viewer(claims)
        if self._exists is not None and not await self._exists(viewer):
            raise UnauthenticatedError("unknown_actor")
        admitted = Admitted(viewer, expires)
        self._verified[digest] = admitted, min(expires, self._clock() + CACHE_SECONDS)
        self._verified.move_to_end(digest)
        if len(self._verified) > CACHE_SIZE:
            self._verified.popitem(last=False)
        return admitted

    def find(self, digest: bytes) -> Admitted | None:
        """The viewer of a token that was verified before, by the token's digest; None if it is not cached any more."""
        known = self._verified.get(digest)
        if known is None:
            return None
        if self._clock() < known[1]:
            self._verified.move_to_end(digest)
            return known[0]
        del self._verified[digest]
        return None

    async def _key_of(self, token: str) -> jwt.PyJWK:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise UnauthenticatedError("malformed") from None
        algorithm = header.get("alg")
        if algorithm == "HS256" and self._secret is not None:
            return self._secret
        if algorithm not in ("RS256", "ES256") or self._jwks is None:
            raise UnauthenticatedError("wrong_algorithm")
        key = await self._jwks.find(algorithm, header.get("kid"))
        if key is None:
            raise UnauthenticatedError("unknown_key")
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
            raise UnauthenticatedError(_REFUSED.get(type(error), "malformed")) from None


def _bearer_token(authorization: str | None) -> str:
    scheme, _, rest = (authorization or "").strip(" ").partition(" ")
    token = rest.lstrip(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("no_token")
    if len(token) > MAX_TOKEN:
        raise UnauthenticatedError("too_long")
    if " " in token or not token.isascii():
        raise UnauthenticatedError("malformed")
    return token


def digest_of(authorization: str) -> bytes:
    """The digest of the token in a valid `Authorization` header."""
    return _digest(_bearer_token(authorization))


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    """Return when the token expires. Raises UnauthenticatedError if it has expired or is not valid yet."""
    for name in ("nbf", "iat"):
        if name in claims and _moment(claims[name]) > now + LEEWAY:
            raise UnauthenticatedError("not_yet_valid")
    expires = _moment(claims["exp"])
    if now >= expires:
        raise UnauthenticatedError("expired")
    return expires


def _moment(value: object) -> float:
    """A NumericDate. Rejects infinities, which Python's JSON reader accepts: every token must expire."""
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    raise UnauthenticatedError("bad_claim")


def _viewer(claims: Mapping[str, Any]) -> Viewer:
    account, subject, scope = claims["account"], claims["sub"], claims["scope"]
    if not (is_id(account) and isinstance(subject, str) and isinstance(scope, str)):
        raise UnauthenticatedError("bad_claim")
    try:
        kind, actor_id = parse_subject(subject)
    except ValueError:
        raise UnauthenticatedError("bad_claim") from None
    try:
        scopes = granted(scope)
    except ValueError:
        raise UnauthenticatedError("unknown_scope") from None
    return Viewer(account, ACTORS[kind], actor_id, scopes)
