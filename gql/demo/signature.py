"""Verifies the signature of a webhook, as every receiver must. Libraries of Standard Webhooks do the same."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from time import time
from typing import Final

# Seconds that a request may be old: a recorded one cannot be sent again later.
TOLERANCE: Final = 300


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the request with `body` was signed with `secret` (`whsec_…`), not long ago."""
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time() - int(sent_at)) > TOLERANCE:
        return False
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    expected = b64encode(hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, sha256))
    # While a secret is rotated there are two signatures.
    return any(
        hmac.compare_digest(f"v1,{expected.decode()}", signature)
        for signature in headers.get("webhook-signature", "").split()
    )
