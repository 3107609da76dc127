"""Who is asking: a request's `Authorization` header becomes a Viewer, or the request is refused.

A token is a JWT signed with the configured secret (HS256) or a key of the configured JWKS (RS256, ES256). A key is used
with its one algorithm only: what a token's header claims picks among the keys and decides nothing else, so `none`, or
HS256 "signed" with a public key, finds no key. Nothing here says to a client why a token was refused; the log may have
`Unauthenticated.reason`, and nobody gets the token. What a scope allows is not decided here, nor who may have a token.

Times are seconds since the epoch. `exp` is exact; `nbf` and `iat` may lie LEEWAY ahead, for the issuer's clock.
"""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

import jwt
import structlog
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

log = structlog.get_logger(__name__)


class Unauthenticated(Exception):  # noqa: N818 - it names the answer that a client gets, like Refused
    """No viewer. `challenge` is the WWW-Authenticate header of the 401; `reason` is a code for the log alone."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.challenge = "Bearer" if reason == "no_token" else 'Bearer error="invalid_token"'


def granted(scope: str) -> frozenset[str]:
    """What the space separated scopes of `scope` allow, implied ones included; ValueError where one is unknown."""
    named = frozenset(scope.split())
    if unknown := named - SCOPES:
        raise ValueError(f"unknown scopes: {', '.join(sorted(unknown))}")
    return named.union(*(IMPLIED.get(name, frozenset()) for name in named))


def parse_subject(subject: str) -> tuple[CreatorType, int]:
    """The actor of "user:12" or "application:65"; ValueError for anything else."""
    match = re.fullmatch(r"(user|application):([1-9][0-9]{0,18})", subject)
    if match is None or int(match[2]) > MAX_ID:
        raise ValueError('a subject is "user:ID" or "application:ID"')
    return ACTORS[match[1]], int(match[2])


def parse_duration(text: str) -> timedelta:
    """The time that "90s", "30m", "1h" or "7d" names; ValueError for anything else, zero included."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if match is None:
        raise ValueError(f'"{text}" is no duration: write 90s, 30m, 1h or 7d')
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]
    return timedelta(**{unit: int(match[1])})


def mint(  # noqa: PLR0913 - a token's claims, each by its name
    settings: Settings,
    *,
    account: int,
    subject: str,
    scopes: Iterable[str],
    expires_in: timedelta,
    now: datetime | None = None,
) -> str:
    """An HS256 token that an Authenticator of the same settings accepts from `now` (aware) for `expires_in`.

    Raises ConfigurationError without a usable secret, ValueError for an unknown scope, a bad subject or account.
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
    """Turns bearer tokens into viewers. One for an app, used on one event loop.

    A verified token is remembered, by its hash, until it expires or for CACHE_SECONDS. `exists` is asked before that,
    whether the actor is (still) there; what it raises is passed on, as a database that is away is no refusal.
    `fetch` reads a JWKS, in a thread, from the path or URL of the settings. Raises ConfigurationError.
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
        self._verified: OrderedDict[bytes, tuple[float, Viewer]] = OrderedDict()

    async def start(self) -> None:
        """Read the JWKS now, where a URL would wait for the first token; ConfigurationError where it has no key."""
        if self._jwks is not None:
            await self._jwks.read()

    def cached(self, authorization: str | None) -> Viewer | None:
        """The viewer of a header whose token is already verified, without awaiting; None where it is not."""
        try:
            return self._recall(_digest(_bearer_token(authorization)))
        except Unauthenticated:
            return None

    async def authenticate(self, authorization: str | None) -> Viewer:
        """The viewer of an `Authorization` header's value; Unauthenticated where there is none."""
        token = _bearer_token(authorization)
        digest = _digest(token)
        if (known := self._recall(digest)) is not None:
            return known
        claims = self._decode(token, await self._key_of(token))
        now = self._clock()
        until = min(_check_times(claims, now), now + CACHE_SECONDS)
        viewer = _viewer(claims)
        if self._exists is not None and not await self._exists(viewer):
            raise Unauthenticated("unknown_actor")
        self._remember(digest, until, viewer)
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
                # PyJWT would read its own clock, and take a time given as text.
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

    def _recall(self, digest: bytes) -> Viewer | None:
        entry = self._verified.get(digest)
        if entry is None:
            return None
        until, viewer = entry
        if self._clock() >= until:
            del self._verified[digest]
            return None
        self._verified.move_to_end(digest)
        return viewer

    def _remember(self, digest: bytes, until: float, viewer: Viewer) -> None:
        self._verified[digest] = until, viewer
        if len(self._verified) > CACHE_SIZE:
            self._verified.popitem(last=False)


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
    """When the token expires; Unauthenticated where it has, or where it is not valid yet."""
    for name in ("nbf", "iat"):
        if name in claims and _moment(claims[name]) > now + LEEWAY:
            raise Unauthenticated("not_yet_valid")
    expires = _moment(claims["exp"])
    if now >= expires:
        raise Unauthenticated("expired")
    return expires


def _moment(value: object) -> float:
    """A NumericDate. JSON as Python reads it has infinities too, and a token that never expires is none."""
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
    """Whether this is an id that a column can hold. A bool is an int to Python, but no id."""
    return type(value) is int and 0 < value <= MAX_ID
