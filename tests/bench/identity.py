"""Reading the server's ids in the servers that are compared with it, which have none of its types."""

from __future__ import annotations

from base64 import urlsafe_b64decode


def conversation_number(account: int, text: str) -> int:
    """The number of a conversation in this account; 0, which no row has, for one of another account."""
    _, its_account, number = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(":")
    return int(number) if int(its_account) == account else 0
