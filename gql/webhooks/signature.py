"""The headers of Standard Webhooks, by which a receiver verifies who sent a request."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256


def headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a request with `body`, sent at `timestamp` in seconds since the epoch.

    There is a signature for each of the endpoint's secrets. While a secret is replaced there are two, and the receiver
    needs one of them.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (b64encode(hmac.digest(secret, signed, sha256)).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
