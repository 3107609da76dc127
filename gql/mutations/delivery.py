"""Mutations of deliveries: their inputs. The rules are in `db.queries.delivery`."""

from __future__ import annotations

from datetime import datetime

import strawberry

from db import tables as t
from db.engine import Transaction
from db.queries import delivery
from db.scope import Viewer
from gql.fields.enums import DeliveryState
from gql.mutations.argument import given, optional, read_id
from gql.mutations.declare import mutation
from gql.types.message import Message


@strawberry.input(description="Input of `reportDelivery`. Null means left out.")
class ReportDeliveryInput:
    """Null means left out."""

    message_id: strawberry.ID = strawberry.field(description="Message that the application relays.")
    state: DeliveryState = strawberry.field(description="State that it has reached; not `QUEUED`.")
    at: datetime | None = optional("When it did; now if left out, or if up to five minutes in the future.")
    external_id: str | None = optional(
        "Your own id of the message, at most 255 characters, unique for your application for ever. Another message has "
        "it: `CONFLICT`. A message that is `SENT`, `DELIVERED` or `READ` keeps the id that was reported for it: with "
        "another one, `CONFLICT`. After `FAILED` or `retryDelivery`, the next attempt may have another id."
    )
    error: str | None = optional("With `FAILED`: why, for people, at most 1,000 characters.")


@strawberry.input(description="Input of `retryDelivery`.")
class RetryDeliveryInput:
    """One message."""

    message_id: strawberry.ID = strawberry.field(description="Message whose delivery state is `FAILED`.")


@mutation(Message, scope="deliveries_write")
async def report_delivery(transaction: Transaction, viewer: Viewer, input: ReportDeliveryInput) -> int:
    """Reports how far a message got that the application relays.

    States move forward: `QUEUED`, `SENT`, `DELIVERED`, `READ`; `FAILED` can follow any of them. A report that is behind
    the present state changes nothing, so that reports can be sent twice and in any order.
    """
    report = delivery.DeliveryReport(
        message_id=read_id(viewer, t.Message, input.message_id),
        state=input.state,
        at=given(input.at),
        external_id=given(input.external_id),
        error=given(input.error),
    )
    return await delivery.report(transaction, viewer, report)


@mutation(Message)
async def retry_delivery(transaction: Transaction, viewer: Viewer, input: RetryDeliveryInput) -> int:
    """Queues a message that could not be delivered again: the application that relays it gets another event.

    A message that is queued is returned as it is.
    """
    return await delivery.retry(transaction, viewer, read_id(viewer, t.Message, input.message_id))
