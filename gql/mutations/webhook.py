"""Mutations of webhooks: their inputs. The rules are in `db.queries.endpoint` and `gql.security.webhook`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import strawberry

from db import tables as t
from db.changes import ChangePosition, ResyncRequiredError
from db.engine import Transaction
from db.problem import Problem, ProblemCode, reject
from db.queries import endpoint
from db.scope import Viewer
from gql.context import Context
from gql.errors import ClientError
from gql.fields.change import read_cursor, resync_required, write_cursor
from gql.fields.enums import WebhookEvent
from gql.mutations.argument import given, optional, read_id, read_ids
from gql.mutations.declare import mutation
from gql.mutations.payload import Beside, Written
from gql.security.secret import new_secret
from gql.security.token import WEBHOOK_SCOPE
from gql.security.webhook import WebhookRules
from gql.settings import variable
from gql.types.webhook import WebhookDelivery, WebhookEndpoint

_KEY = (
    "At most 255 characters, kept for 7 days. Same key and same input: the first result is returned, with its secret "
    "unless that was replaced since. Same key, other input: `CONFLICT`."
)
_DOCUMENT = (
    "Id of a trusted document with one query, whose answer is sent instead of ids only. Its variables can be "
    "`conversationId` and `messageId`, which are given where the event has them."
)
_SCOPES = (
    "Scopes with which the document is executed, at most those of the token, and at least those that the document "
    "needs and `inbox_read`. If left out or null, those."
)
_SECRET = {"secret": Beside(str, "The secret that signs its events, `whsec_…`. It is shown only here: store it.")}


@strawberry.input(description="Input of `createWebhookEndpoint`. Null means left out.")
class CreateWebhookEndpointInput:
    """Null means left out."""

    url: str = strawberry.field(description="Where to send events, https, at most 2,048 characters.")
    events: list[WebhookEvent] = strawberry.field(description="Events to send, at least one; repeats count once.")
    document_id: str | None = optional(_DOCUMENT)
    scopes: list[str] | None = optional(_SCOPES)
    enabled: bool = strawberry.field(default=True, description="Whether to send events.")
    idempotency_key: str | None = optional(_KEY)


@strawberry.input(
    description=(
        "Input of `updateWebhookEndpoint`. Fields that are left out are not changed. Null for `url`, `events` or "
        "`enabled` is `BLANK`."
    )
)
class UpdateWebhookEndpointInput:
    """Of one endpoint."""

    endpoint_id: strawberry.ID = strawberry.field(description="Endpoint to change.")
    url: str | None = optional("Where to send events, https, at most 2,048 characters.")
    events: list[WebhookEvent] | None = optional("Events to send, at least one; repeats count once.")
    document_id: str | None = optional(f"{_DOCUMENT} Null sends ids only.")
    scopes: list[str] | None = optional(
        "Scopes with which the document is executed, at most those of the token; null for those that it needs."
    )
    enabled: bool | None = optional("True sends events from now on; false sends none, and keeps those that wait.")


@strawberry.input(description="Input of `deleteWebhookEndpoint`.")
class DeleteWebhookEndpointInput:
    """One endpoint."""

    endpoint_id: strawberry.ID = strawberry.field(description="Endpoint to delete.")


@strawberry.input(description="Input of `rotateWebhookSecret`. Null means left out.")
class RotateWebhookSecretInput:
    """Of one endpoint."""

    endpoint_id: strawberry.ID = strawberry.field(description="Endpoint that gets another secret.")
    keep_previous_hours: int = strawberry.field(
        default=24,
        description="Hours for which events are also signed with the present secret, 0 to 168. Use 0 if it leaked.",
    )
    idempotency_key: str | None = optional(_KEY)


@strawberry.input(description="Input of `sendTestEvent`.")
class SendTestEventInput:
    """To one endpoint."""

    endpoint_id: strawberry.ID = strawberry.field(description="Endpoint that is enabled.")


@strawberry.input(description="Input of `replayWebhook`.")
class ReplayWebhookInput:
    """From a position on."""

    endpoint_id: strawberry.ID = strawberry.field(description="Endpoint that is enabled.")
    after: str = strawberry.field(
        description="Cursor of the change log, such as a `changesCursor`: the events of later changes are sent."
    )


@strawberry.input(description="Input of `redeliver`.")
class RedeliverInput:
    """From 1 to 250."""

    delivery_ids: list[strawberry.ID] = strawberry.field(
        description="Webhook deliveries to send again, 1 to 250; repeats count once."
    )


def _find_rules(context: Context) -> WebhookRules:
    """The rules. Raises RuntimeError in a context that writes nothing."""
    if context.webhooks is None:
        raise RuntimeError("the context has no rules for webhooks")
    return context.webhooks


def _rules(context: Context) -> Mapping[str, Any]:
    return {"rules": _find_rules(context)}


def _key_check(context: Context) -> Mapping[str, Any]:
    """No further arguments. Raises `ClientError` if the server has no key for the secrets that sign."""
    if not _find_rules(context).secrets.available:
        raise ClientError(f"This server sends no webhooks: it has no {variable('secret_key')} to encrypt secrets with")
    return {}


def _rules_and_key_check(context: Context) -> Mapping[str, Any]:
    return {**_key_check(context), **_rules(context)}


_webhook_mutation = partial(mutation, scope=WEBHOOK_SCOPE)


@_webhook_mutation(WebhookEndpoint, beside=_SECRET, given=_rules_and_key_check)
async def create_webhook_endpoint(
    transaction: Transaction, viewer: Viewer, input: CreateWebhookEndpointInput, rules: WebhookRules
) -> Written:
    """Creates an endpoint, to which events are sent from now on. Its secret is returned only here."""
    document_id = given(input.document_id)
    values = {
        "url": input.url,
        "events": _unique(input.events),
        "document_id": document_id,
        "scopes": _scopes(rules, given(input.scopes), document_id),
    }
    reject(rules.check(viewer, values))
    draft = endpoint.EndpointDraft(
        input.url, tuple(values["events"]), document_id, tuple(values["scopes"]), input.enabled
    )
    encrypted = rules.secrets.encrypt(new_secret())
    issued = await endpoint.create(transaction, viewer, draft, given(input.idempotency_key), encrypted)
    return _issued(rules, issued)


@_webhook_mutation(WebhookEndpoint, given=_rules)
async def update_webhook_endpoint(
    transaction: Transaction, viewer: Viewer, input: UpdateWebhookEndpointInput, rules: WebhookRules
) -> int:
    """Changes an endpoint.

    The token must have all scopes of the endpoint, except to disable it. What happens while it is disabled is not sent
    later: `replayWebhook` can send it.
    """
    id_ = read_id(viewer, t.WebhookEndpoint, input.endpoint_id)
    named: dict[str, Any] = {
        "url": input.url,
        "events": input.events,
        "document_id": input.document_id,
        "scopes": input.scopes,
        "enabled": input.enabled,
    }
    changes = {name: value for name, value in named.items() if value is not strawberry.UNSET}
    reject(
        [
            Problem(ProblemCode.BLANK, f"{name} must have a value", ["input", name])
            for name in ("url", "events", "enabled")
            if name in changes and changes[name] is None
        ]
    )
    if "events" in changes:
        changes["events"] = _unique(changes["events"])
    return await endpoint.update(
        transaction, viewer, id_, changes, partial(_scopes, rules, None), partial(rules.check, viewer)
    )


@_webhook_mutation(None, beside={"deleted_id": Beside(strawberry.ID, "Id of the endpoint that was deleted.")})
async def delete_webhook_endpoint(
    transaction: Transaction, viewer: Viewer, input: DeleteWebhookEndpointInput
) -> Written:
    """Deletes an endpoint. Nothing is sent to it any more, and its deliveries are removed."""
    id_ = read_id(viewer, t.WebhookEndpoint, input.endpoint_id)
    await endpoint.delete(transaction, viewer, id_)
    return Written(None, {"deleted_id": input.endpoint_id})


@_webhook_mutation(WebhookEndpoint, beside=_SECRET, given=_rules_and_key_check)
async def rotate_webhook_secret(
    transaction: Transaction, viewer: Viewer, input: RotateWebhookSecretInput, rules: WebhookRules
) -> Written:
    """Replaces the secret of an endpoint, which is returned only here.

    For some hours events are signed with both secrets, so that a receiver can change its own without losing any.
    """
    draft = endpoint.RotationDraft(read_id(viewer, t.WebhookEndpoint, input.endpoint_id), input.keep_previous_hours)
    encrypted = rules.secrets.encrypt(new_secret())
    issued = await endpoint.rotate(transaction, viewer, draft, given(input.idempotency_key), encrypted)
    return _issued(rules, issued)


@_webhook_mutation(list[WebhookDelivery], given=_key_check)
async def redeliver(transaction: Transaction, viewer: Viewer, input: RedeliverInput) -> list[int]:
    """Sends deliveries again, with the same `webhook-id`: all of them, or none."""
    return await endpoint.redeliver(transaction, viewer, read_ids(viewer, t.WebhookDelivery, input.delivery_ids))


@_webhook_mutation(WebhookDelivery, given=_key_check)
async def send_test_event(transaction: Transaction, viewer: Viewer, input: SendTestEventInput) -> int:
    """Sends the event `TEST` to an endpoint, whatever its events are."""
    id_ = read_id(viewer, t.WebhookEndpoint, input.endpoint_id)
    return await endpoint.send_test(transaction, viewer, id_)


@_webhook_mutation(
    WebhookEndpoint,
    given=_key_check,
    beside={
        "delivery_count": Beside(int, "Number of events that are sent."),
        "end_cursor": Beside(str, "Cursor after the last change that was read, for `after`."),
        "has_more": Beside(bool, "Whether there are more changes: then repeat the mutation with `endCursor`."),
    },
    records=endpoint.REPLAYED_AT_ONCE // 10,
)
async def replay_webhook(transaction: Transaction, viewer: Viewer, input: ReplayWebhookInput) -> Written:
    """Sends the events of past changes to an endpoint, as new deliveries: of at most 500 changes at a time.

    Only events that the endpoint asks for are sent. A cursor that is unknown or older than the change log is an error
    with the code `RESYNC_REQUIRED`.
    """
    after = read_cursor(viewer, input.after)
    id_ = read_id(viewer, t.WebhookEndpoint, input.endpoint_id)
    try:
        replayed = await endpoint.replay(transaction, viewer, id_, after)
    except ResyncRequiredError:
        raise resync_required() from None
    end = write_cursor(viewer, ChangePosition(after.epoch, replayed.end))
    return Written(id_, {"delivery_count": replayed.deliveries, "end_cursor": end, "has_more": replayed.has_more})


def _issued(rules: WebhookRules, issued: endpoint.Issued) -> Written:
    """The endpoint, with its secret decrypted: for a repeated request it is read from the database."""
    secret = None if issued.secret is None else rules.secrets.decrypt(issued.secret)
    return Written(issued.endpoint_id, {"secret": secret})


def _scopes(rules: WebhookRules, asked: Iterable[str] | None, document_id: str | None) -> list[str]:
    """The requested scopes, each once; the least that the document needs if there is no request."""
    return _unique(sorted(rules.least_scopes(document_id)) if asked is None else asked)


def _unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
