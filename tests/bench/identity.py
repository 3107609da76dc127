"""Reads the server's ids in the compared servers, which do not have its types."""

from __future__ import annotations

from base64 import urlsafe_b64decode


def conversation_number(account: int, text: str) -> int:
    """The number of a conversation in this account; 0, which no row has, for a conversation of another account."""
    _, its_account, number = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(":")
    return int(number) if int(its_account) == account else 0
