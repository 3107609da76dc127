"""The secrets with which webhooks are signed: made here, and encrypted for the database.

A secret is a text in the form of Standard Webhooks, `whsec_` and the base64 of its bytes. INBOX_SECRET_KEY has one or
more keys of Fernet: the first encrypts, and all decrypt, so that a new key can be put before the old one.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gql.settings import ConfigurationError, Settings, variable

PREFIX = "whsec_"
# Standard Webhooks asks for 24 to 64.
_BYTES = 32


class Secrets:
    """Encrypts and decrypts with the keys of the settings. Raises `ConfigurationError` for a malformed key."""

    def __init__(self, settings: Settings) -> None:
        given = settings.secret_key.get_secret_value() if settings.secret_key else ""
        try:
            keys = [Fernet(key.strip()) for key in given.split(",") if key.strip()]
        except ValueError:
            raise ConfigurationError(
                f"{variable('secret_key')} must have keys of 32 bytes in URL-safe base64, separated by commas"
            ) from None
        self._fernet = MultiFernet(keys) if keys else None

    @property
    def available(self) -> bool:
        """Whether there is a key."""
        return self._fernet is not None

    def encrypt(self, secret: str) -> bytes:
        """The secret for the database. Raises `ConfigurationError` without a key."""
        return self._keys().encrypt(secret.encode())

    def decrypt(self, encrypted: bytes) -> str:
        """The secret from the database. Raises `ConfigurationError` without the key that encrypted it."""
        try:
            return self._keys().decrypt(encrypted).decode()
        except InvalidToken:
            raise ConfigurationError(f"{variable('secret_key')} lacks the key of a stored secret") from None

    def signing_keys(self, endpoint: Any) -> list[bytes]:
        """The keys to sign with for an endpoint's row, newest first: the previous secret is valid for some time.

        Raises `ConfigurationError` without the key that encrypted them.
        """
        valid = [endpoint.secret]
        if endpoint.previous_secret is not None and endpoint.previous_secret_until > datetime.now(UTC):
            valid.append(endpoint.previous_secret)
        return [b64decode(self.decrypt(secret).removeprefix(PREFIX)) for secret in valid]

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            raise ConfigurationError(f"{variable('secret_key')} is not set: webhook secrets cannot be stored or read")
        return self._fernet


def new_secret() -> str:
    """A random secret."""
    return PREFIX + b64encode(secrets.token_bytes(_BYTES)).decode()
