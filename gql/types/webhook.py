"""Webhooks in the API: endpoints, what is delivered to them, and the attempts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from db import tables as t
from db.queries import endpoint
from db.relations import One
from gql.fields.column import column
from gql.fields.connection import Connection
from gql.fields.enums import CreatorType, WebhookEvent, WebhookState
from gql.fields.many import many, narrowed
from gql.fields.node import Node, node
from gql.fields.one import either, one
from gql.fields.scalars import BigInt
from gql.security.token import WEBHOOK_SCOPE

if TYPE_CHECKING:
    from gql.types.actor import Creator
    from gql.types.conversation import Conversation


@node(t.WebhookEndpoint, scopes=[WEBHOOK_SCOPE])
class WebhookEndpoint(Node):
    """A URL to which the account's events are sent, as Standard Webhooks describes it."""

    url: str = column("Where events are sent, by POST.")
    events: list[WebhookEvent] = column("Events that are sent to it.")
    enabled: bool = column("Whether events are sent. What happens while it is disabled is not sent later.")
    disabled_reason: str | None = column("Why the server disabled it; null while it is enabled, or if a client did.")
    document_id: str | None = column(
        "Trusted document whose answer is sent, executed for each event; null sends the ids of the event only."
    )
    scopes: list[str] = column("Scopes with which the document is executed.")
    previous_secret_until: datetime | None = column(
        "Until when events are also signed with the secret before the last rotation; null if it was never rotated."
    )
    created_by: Creator | None = either(
        t.WebhookEndpoint.created_by_user_id,
        t.WebhookEndpoint.created_by_application_id,
        description="Who created it; null if that actor is not stored here.",
    )
    created_by_id: BigInt | None = column("Id of the creator, also if `createdBy` is null.")
    created_by_type: CreatorType | None = column(
        "Whether a user or an application created it, also if `createdBy` is null."
    )
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
    deliveries: Connection[WebhookDelivery] = many(
        t.WebhookDelivery.endpoint_id,
        order=endpoint.NEWEST_FIRST,
        states=narrowed(
            list[WebhookState], endpoint.FILTERS["states"], "Returns only deliveries in one of these states."
        ),
        events=narrowed(
            list[WebhookEvent], endpoint.FILTERS["events"], "Returns only deliveries of one of these events."
        ),
        description="What was and will be sent to it, newest first: for 30 days, unless configured otherwise.",
    )


@node(t.WebhookDelivery, scopes=[WEBHOOK_SCOPE])
class WebhookDelivery(Node):
    """One event for one endpoint. It is sent until the endpoint accepts it, or for some days."""

    endpoint: WebhookEndpoint | None = either(
        One("endpoint_id", t.WebhookEndpoint), description="The endpoint; null if it was deleted."
    )
    message_id: str = column(
        "The header `webhook-id`: the same for all attempts, also of `redeliver`, so that the receiver can recognize "
        "what it has already handled."
    )
    event: WebhookEvent = column("What happened.")
    conversation: Conversation | None = either(
        One("conversation_id", t.Conversation),
        description="The conversation in which it happened. Deliveries of one conversation are sent in their order.",
    )
    state: WebhookState = column("Whether it waits, was delivered, or was given up.")
    attempt_count: int = column("Number of attempts so far, including those before it was delivered again.")
    due_at: datetime | None = column(
        "When the next attempt is due, if the endpoint is enabled then; null if it is finished, or waits for an "
        "earlier one of its conversation."
    )
    created_at: datetime = column("When it was created, shortly after the event.")
    finished_at: datetime | None = column("When it was delivered or given up; null while it is pending.")
    attempts: Connection[WebhookAttempt] = many(
        t.WebhookAttempt.delivery_id, description="Attempts, the first one first."
    )


@node(t.WebhookAttempt, scopes=[WEBHOOK_SCOPE])
class WebhookAttempt(Node):
    """One attempt of a delivery: the answer of the receiver, or why there was none."""

    delivery: WebhookDelivery = one(t.WebhookAttempt.delivery_id, description="The delivery.")
    number: int = column("Number of the attempt within the delivery, from 1.")
    at: datetime = column("When it began.")
    status: int | None = column("HTTP status of the answer; null without an answer.")
    duration_ms: int = column("Milliseconds until the end of the answer, or until the attempt failed.")
    answer: str | None = column("Start of the answer's body, at most 1,000 characters; null without an answer.")
    error: str | None = column("Why there was no answer, or that it was a redirect, which is not followed; else null.")
