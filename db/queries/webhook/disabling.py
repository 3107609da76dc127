"""Disabling an endpoint, as a change that the account sees."""

from __future__ import annotations

from typing import Any

from db import tables as t
from db.engine import Transaction
from db.queries import writing
from db.scope import ACCOUNT, visible
from db.statement import Statement

_E: Any = t.WebhookEndpoint
_HOLD = Statement.of(
    visible(t.WebhookEndpoint).where(writing.is_id(_E.id)).with_for_update(key_share=True), t.WebhookEndpoint
)


async def disable(transaction: Transaction, account_id: int, endpoint_id: int, reason: str) -> None:
    """Disable an endpoint that is enabled. Its pending deliveries wait until it is enabled again."""
    rows = await transaction.fetch(_HOLD, {ACCOUNT: account_id, "id": endpoint_id})
    if rows and rows[0].enabled:
        values = {"enabled": False, "disabled_reason": reason}
        await writing.change(transaction, t.WebhookEndpoint, rows[0], values)
