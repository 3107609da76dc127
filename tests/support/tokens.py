"""Tokens for tests: a clock, keys, a JWKS URL, and headers signed correctly or not."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr

from db.scope import Viewer
from db.tables import CreatorType
from gql.security.auth import Authenticator, UnauthenticatedError
from gql.settings import Settings

NOW = 1_700_000_000
SECRET = "a secret of 32 bytes, at the least"
URL = "https://issuer.test/jwks.json"
CLAIMS = {"sub": "user:12", "account": 1, "scope": "inbox_read", "aud": "inbox-graphql", "exp": NOW + 3_600}
VIEWER = Viewer(1, CreatorType.USER, 12, frozenset({"inbox_read"}))

RSA_KEY = rsa.generate_private_key(65_537, 2_048)
OTHER_RSA_KEY = rsa.generate_private_key(65_537, 2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


class Issuer:
    """A JWKS URL: its keys, its error if it fails, and the number of its requests."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.error: Exception | None = None
        self.asked = 0
        self.called = asyncio.Event()

    async def __call__(self, location: str) -> bytes:
        """Replace `fetch` of an Authenticator."""
        assert location == URL
        self.asked += 1
        self.called.set()
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
    """A header with CLAIMS and changes; a claim of None is omitted."""
    claims = {name: value for name, value in (CLAIMS | (changes or {})).items() if value is not None}
    # PyJWT's lower layer, because its `encode` would reject or change some invalid claims.
    token = jwt.PyJWS().encode(json.dumps(claims).encode(), key, alg, {} if kid is None else {"kid": kid})
    return f"Bearer {token}"


def forged(header: dict[str, Any], key: bytes) -> str:
    """A header whose token is signed by HMAC-SHA-256 with any bytes, which PyJWT would reject."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, CLAIMS)]
    signature = base64.urlsafe_b64encode(hmac.digest(key, b".".join(parts), "sha256")).rstrip(b"=")
    return f"Bearer {b'.'.join([*parts, signature]).decode()}"


def is_cached(authenticator: Authenticator, header: str | None) -> bool:
    """Whether the header's token would be accepted without verifying it again."""
    digest = sha256((header or "").removeprefix("Bearer ").encode(errors="replace")).digest()
    return digest in authenticator._verified  # noqa: SLF001  # no response has it


async def refusal(authenticator: Authenticator, header: str | None) -> UnauthenticatedError:
    with pytest.raises(UnauthenticatedError) as caught:
        await authenticator.authenticate(header)
    assert not is_cached(authenticator, header)
    return caught.value
