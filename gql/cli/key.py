"""The demo's keys, in the demo's folder, so that its tokens and its webhooks survive a restart."""

from __future__ import annotations

import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

# The names of the keys: the one that signs tokens, and the one that encrypts the secrets of webhooks.
SIGNING = "demo"
ENCRYPTING = "webhooks"


def key_file(data: Path, name: str = SIGNING) -> Path:
    """Return the path of a key of the demo in the folder `data`."""
    return data / f"{name}.key"


def read_key(data: Path, name: str = SIGNING) -> SecretStr | None:
    """Return a key of the demo in the folder `data`; None if there was no demo."""
    try:
        return SecretStr(key_file(data, name).read_text().strip())
    except FileNotFoundError:
        return None


def make_key(data: Path, name: str = SIGNING) -> SecretStr:
    """Return a key of the demo: 32 bytes in URL-safe base64.

    A missing one is created atomically, readable by its owner only.
    """
    if (key := read_key(data, name)) is not None:
        return key
    path = key_file(data, name)
    file, draft = tempfile.mkstemp(dir=data, prefix=f".{path.name}.")
    try:
        with os.fdopen(file, "w") as made:
            made.write(urlsafe_b64encode(secrets.token_bytes(32)).decode())
        # Two demos of one folder that start together end up with one key.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)
    return SecretStr(path.read_text())
