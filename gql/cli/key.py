"""The demo's signing key, in the demo's folder, so that its tokens survive a restart."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr


def key_file(data: Path) -> Path:
    """Return the path of the key of the demo in the folder `data`."""
    return data / "demo.key"


def read_key(data: Path) -> SecretStr | None:
    """Return the key of the demo in the folder `data`; None if there was no demo."""
    try:
        return SecretStr(key_file(data).read_text().strip())
    except FileNotFoundError:
        return None


def make_key(data: Path) -> SecretStr:
    """Return the key of the demo. A missing one is created atomically, readable by its owner only."""
    if (key := read_key(data)) is not None:
        return key
    file, name = tempfile.mkstemp(dir=data, prefix=".demo.key.")
    try:
        with os.fdopen(file, "w") as made:
            made.write(secrets.token_urlsafe(32))
        # Two demos of one folder that start together end up with one key.
        with suppress(FileExistsError):
            os.link(name, key_file(data))
    finally:
        Path(name).unlink(missing_ok=True)
    return SecretStr(key_file(data).read_text())
