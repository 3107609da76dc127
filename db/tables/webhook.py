"""Webhooks: endpoints that receive the account's events, what is delivered to them, and each attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from db.tables.base import (
    FreeText,
    Stamped,
    TenantTable,
    Timestamp,
    enum_type,
    lookup,
    only,
    reference,
    row_id,
    texts,
)
from db.tables.creation import Created, creator_keys
from db.tables.enums import WebhookEvent, WebhookState

MAX_URL = 2_048
MAX_DOCUMENT_ID = 255


class WebhookEndpoint(TenantTable, Stamped, Created, table=True):
    """A URL that receives events, with the scopes of what may be sent to it. Secrets are encrypted.

    The previous secret is valid too until `previous_secret_until`.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (*creator_keys(), only("events", WebhookEvent))

    id: int | None = row_id()
    url: str = Field(max_length=MAX_URL)
    events: list[WebhookEvent] = Field(sa_type=texts(32))
    enabled: bool
    disabled_reason: str | None = Field(default=None, max_length=500)
    # The trusted document whose answer is sent; null sends ids only.
    document_id: str | None = Field(default=None, max_length=MAX_DOCUMENT_ID)
    scopes: list[str] = Field(sa_type=texts(64))
    secret: bytes = Field(sa_type=LargeBinary)
    # The idempotency claim under which the secret was made: a repeated mutation returns the secret only if it is still
    # the one that the first request made.
    secret_id: int | None = Field(default=None, sa_type=BigInteger)
    previous_secret: bytes | None = Field(default=None, sa_type=LargeBinary)
    previous_secret_until: datetime | None = Field(default=None, sa_type=Timestamp)
    # Since when every attempt has failed; null after a success.
    failing_since: datetime | None = Field(default=None, sa_type=Timestamp)
    # The number of the account's last change when it was created or last enabled: only later changes are sent.
    after_number: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


def _few(name: str, condition: str, *columns: str) -> Index:
    """A partial index of the deliveries of an endpoint that meet `condition`, which few do."""
    return Index(
        f"ix_webhook_deliveries_{name}",
        *("account_id", "endpoint_id", *columns),
        postgresql_where=literal_column(condition),
    )


class WebhookDelivery(TenantTable, table=True):
    """One event for one endpoint, with the state of its delivery."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        lookup("endpoint_id", "id"),
        # Few deliveries fail, and few are pending, so their lists do not read the others.
        _few("pending", "state = 'PENDING'", "id"),
        _few("failed", "state = 'FAILED'", "id"),
        # Those to take next, and the earlier ones of a conversation that hold a later one back.
        _few("due", "due_at IS NOT NULL", "due_at"),
        _few("leased", "leased_until IS NOT NULL"),
        _few("order", "state = 'PENDING'", "conversation_id", "change_number", "id"),
    )

    id: int | None = row_id()
    # Not a foreign key: deleting an endpoint with millions of deliveries takes one statement on one row. Its deliveries
    # are removed in small steps later, as old ones are.
    endpoint_id: int = Field(sa_type=BigInteger)
    # The header `webhook-id`: the same for all attempts, and if it is delivered again.
    message_id: str = Field(max_length=64)
    event: WebhookEvent = Field(sa_type=enum_type(WebhookEvent))
    # Deliveries of one conversation are sent in their order. Not a foreign key, as in the change log.
    conversation_id: int | None = Field(default=None, sa_type=BigInteger)
    data: dict[str, Any] = Field(sa_type=JSONB)
    # The change that caused it; null for a test event.
    change_number: int | None = Field(default=None, sa_type=BigInteger)
    state: WebhookState = Field(sa_type=enum_type(WebhookState))
    attempt_count: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # The failed attempts since it was created or last delivered again, which determine the time of the next one.
    failures: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # Null if it is finished, or held back by an earlier one of its conversation.
    due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    leased_until: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = Field(sa_type=Timestamp)
    finished_at: datetime | None = Field(default=None, sa_type=Timestamp)


class WebhookAttempt(TenantTable, table=True):
    """One attempt to deliver, numbered from 1: the HTTP status and the start of the answer, or the error."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (reference("delivery_id", "webhook_deliveries"), lookup("delivery_id", "id"))

    id: int | None = row_id()
    delivery_id: int = Field(sa_type=BigInteger)
    number: int
    at: datetime = Field(sa_type=Timestamp)
    status: int | None = None
    duration_ms: int
    answer: str | None = Field(default=None, sa_type=FreeText)
    error: str | None = Field(default=None, max_length=500)


class WebhookPosition(TenantTable, table=True):
    """How far an account's change log was distributed to its endpoints: the number of the last change."""

    __tablename__ = "webhook_positions"

    number: int = Field(sa_type=BigInteger)
