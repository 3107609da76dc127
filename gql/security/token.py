"""Claims of tokens, and signing: scopes, subjects, lifetimes and the HS256 key.

Nothing here needs the tables or the database, so that `inbox token` starts quickly. Tokens are verified in
`gql.security.auth`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from jwt.algorithms import HMACAlgorithm

from gql.settings import ConfigurationError, Settings

IMPLIED = {"inbox_write": frozenset({"inbox_read"})}
WEBHOOK_SCOPE = "webhooks_manage"
SCOPES = frozenset(
    {
        "inbox_read",
        "inbox_write",
        "bookings_read",
        "inquiries_read",
        "clients_read",
        "deliveries_write",
        WEBHOOK_SCOPE,
    }
)

MAX_ID = 2**63 - 1
MIN_SECRET = 32


def granted(scope: str) -> frozenset[str]:
    """The scopes in the space-separated `scope`, and those that they imply. Raises ValueError for an unknown one."""
    named = frozenset(scope.split())
    if unknown := named - SCOPES:
        raise ValueError(f"unknown scopes: {', '.join(sorted(unknown))}")
    return named.union(*(IMPLIED.get(name, frozenset()) for name in named))


def parse_subject(subject: str) -> tuple[str, int]:
    """Parse "user:12" or "application:65" into kind and id. Raises ValueError for anything else."""
    match = re.fullmatch(r"(user|application):([1-9][0-9]{0,18})", subject)
    if match is None or int(match[2]) > MAX_ID:
        raise ValueError('a subject is "user:ID" or "application:ID"')
    return match[1], int(match[2])


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
    key = secret_key(settings)
    if key is None:
        raise ConfigurationError("INBOX_JWT_SECRET is not set: there is nothing to sign a token with")
    scope = " ".join(scopes)
    granted(scope)
    parse_subject(subject)
    if not is_id(account):
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


def secret_key(settings: Settings) -> jwt.PyJWK | None:
    """Return the key of INBOX_JWT_SECRET, None if it is not set. Raises ConfigurationError for an unusable one."""
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


def is_id(value: object) -> bool:
    """Whether `value` fits a bigint id column. A bool does not, although Python counts it as an int."""
    return type(value) is int and 0 < value <= MAX_ID
