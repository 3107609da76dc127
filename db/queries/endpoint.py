"""Webhook endpoints: creating, changing and deleting them, their secrets, and sending deliveries again.

Secrets arrive here encrypted. What an endpoint may be, besides its number, is decided by the caller (`Check`), because
it depends on the server's settings and documents. `db.queries.webhook` has the statements of the worker.

Locks are taken in one order: the idempotency key, the account, the endpoint, its deliveries by id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple, TypeAlias

from sqlalchemy import BigInteger, bindparam, func, null, or_

from db import changes
from db import tables as t
from db.commit import NotedChange
from db.criterion import Criterion, any_of
from db.engine import Transaction
from db.page import Order
from db.problem import Problem, ProblemCode, reject
from db.queries import writing
from db.queries.idempotency import once
from db.queries.webhook import fan_out
from db.scope import ACCOUNT, Viewer, visible, visible_for_change, visible_for_removal
from db.statement import Row, Statement
from db.tables.base import Timestamp

_C: Any = t.ChangeCounter
_D: Any = t.WebhookDelivery
_E: Any = t.WebhookEndpoint

# Each event of the account is stored once for each endpoint that asks for it, so their number multiplies the writes.
MAX_ENDPOINTS = 20
MAX_REDELIVERIES = 250
# Changes with events that one mutation reads. It holds the lock of the endpoint meanwhile, so they are few.
REPLAYED_AT_ONCE = 500
# Longer than a rotation of a receiver takes, and not so long that a secret that leaked stays valid for ever.
MAX_KEPT_HOURS = 168

NEWEST_FIRST = Order("id:desc", descending=True)
FILTERS: dict[str, Criterion] = {"states": any_of(_D.state), "events": any_of(_D.event)}

# The problems of an endpoint with these values of `url`, `events`, `document_id` and `scopes`.
Check: TypeAlias = Callable[[Mapping[str, Any]], list[Problem]]


@dataclass(frozen=True, slots=True)
class EndpointDraft:
    """The requested endpoint. Its values were checked."""

    table: ClassVar[type[t.TenantTable]] = t.WebhookEndpoint

    url: str
    events: tuple[t.WebhookEvent, ...]
    document_id: str | None
    scopes: tuple[str, ...]
    enabled: bool
    external_id: None = None


@dataclass(frozen=True, slots=True)
class RotationDraft:
    """The requested rotation: the secret that is replaced stays valid for some hours."""

    table: ClassVar[type[t.TenantTable]] = t.WebhookEndpoint

    endpoint_id: int
    kept_hours: int
    external_id: None = None


class Issued(NamedTuple):
    """The endpoint, and the encrypted secret that the mutation made; None if it was replaced since."""

    endpoint_id: int
    secret: bytes | None


async def create(
    transaction: Transaction, viewer: Viewer, draft: EndpointDraft, key: str | None, secret: bytes
) -> Issued:
    """Store the endpoint of `draft` with this secret.

    If its idempotency key was used before, the first endpoint is returned, with its first secret. Raises
    `RejectedError` for an endpoint too many.
    """
    made = False

    async def write(identity: dict[str, Any]) -> int:
        nonlocal made
        made = True
        return await _create(transaction, viewer, draft, identity, secret)

    id_ = await once(transaction, viewer, draft, key, write)
    return Issued(id_, secret if made else await _issued(transaction, viewer, id_, id_))


async def _create(
    transaction: Transaction, viewer: Viewer, draft: EndpointDraft, identity: dict[str, Any], secret: bytes
) -> int:
    await transaction.fetch(_HOLD_ACCOUNT, {ACCOUNT: viewer.account_id})
    (row,) = await transaction.fetch(_COUNT, {ACCOUNT: viewer.account_id})
    if row.total >= MAX_ENDPOINTS:
        message = f"An account has at most {MAX_ENDPOINTS} webhook endpoints"
        reject([Problem(ProblemCode.TOO_MANY, message, ["input"])])
    now = writing.now()
    values = {
        "account_id": viewer.account_id,
        "url": draft.url,
        "events": list(draft.events),
        "enabled": draft.enabled,
        "document_id": draft.document_id,
        "scopes": list(draft.scopes),
        "secret": secret,
        "secret_id": identity.get("id"),
        "after_number": await _last_change(transaction, viewer),
        "created_at": now,
        "updated_at": now,
        **writing.created_by(viewer),
        **identity,
    }
    return await writing.insert_row(transaction, t.WebhookEndpoint, values)


# Creations of one account run one after the other, so that together they cannot exceed the limit.
_HOLD_ACCOUNT = Statement.of(visible(t.Account, t.Account.id).with_for_update(key_share=True), t.Account)
_COUNT = Statement.of(visible(t.WebhookEndpoint, func.count().label("total")), t.WebhookEndpoint)
_LAST_CHANGE = Statement.of(visible(t.ChangeCounter, _C.number), t.ChangeCounter)


async def _last_change(transaction: Transaction, viewer: Viewer) -> int:
    """The number of the account's last change."""
    rows = await transaction.fetch(_LAST_CHANGE, {ACCOUNT: viewer.account_id})
    return int(rows[0].number) if rows else 0


async def update(  # noqa: PLR0913, PLR0917  # the change, and what decides about it
    transaction: Transaction,
    viewer: Viewer,
    id_: int,
    asked: Mapping[str, Any],
    least_scopes: Callable[[str | None], list[str]],
    check: Check,
) -> int:
    """Apply `asked`, any of `url`, `events`, `document_id`, `scopes` and `enabled`.

    Scopes that are None become the least that the document needs. Values that are stored already change nothing.
    Raises `RejectedError` for an endpoint that does not exist, and for one that would have problems; to disable one is
    always allowed.
    """
    endpoint = await _hold(transaction, viewer, id_)
    wanted = {name: asked.get(name, endpoint[name]) for name in ("url", "events", "document_id", "scopes", "enabled")}
    if wanted["scopes"] is None:
        wanted["scopes"] = least_scopes(wanted["document_id"])
    found = writing.differing(endpoint, wanted)
    if found and found != {"enabled": False}:
        reject(check(wanted))
    if "url" in found:
        found["failing_since"] = None
    if "enabled" in found:
        found["disabled_reason"] = None
    if found.get("enabled"):
        found |= {"failing_since": None, "after_number": await _last_change(transaction, viewer)}
    if found:
        await writing.change(transaction, t.WebhookEndpoint, endpoint, found)
    return id_


async def delete(transaction: Transaction, viewer: Viewer, id_: int) -> None:
    """Delete an endpoint. The worker removes its deliveries later. Raises `RejectedError` if it does not exist."""
    await _hold(transaction, viewer, id_)
    await transaction.fetch(_DELETE, {ACCOUNT: viewer.account_id, "id": id_})
    transaction.journal.changes[t.WebhookEndpoint, id_] = NotedChange(None, t.ChangeOperation.REMOVED)


async def rotate(
    transaction: Transaction, viewer: Viewer, draft: RotationDraft, key: str | None, secret: bytes
) -> Issued:
    """Replace the endpoint's secret, and keep the present one valid for some hours.

    If the idempotency key was used before, nothing is replaced. Raises `RejectedError` for an endpoint that does not
    exist, and for hours out of range.
    """
    made = False

    async def write(identity: dict[str, Any]) -> int:
        nonlocal made
        made = True
        endpoint = await _hold(transaction, viewer, draft.endpoint_id)
        moment = writing.moment(endpoint)
        values = {
            "secret": secret,
            "secret_id": identity.get("id"),
            "previous_secret": endpoint.secret if draft.kept_hours else None,
            "previous_secret_until": moment + timedelta(hours=draft.kept_hours),
        }
        await writing.change(transaction, t.WebhookEndpoint, endpoint, values)
        return int(identity.get("id", 0))

    if not 0 <= draft.kept_hours <= MAX_KEPT_HOURS:
        message = f"A secret can stay valid for 0 to {MAX_KEPT_HOURS} hours"
        reject([Problem(ProblemCode.INVALID, message, ["input", "keepPreviousHours"])])
    secret_id = await once(transaction, viewer, draft, key, write)
    return Issued(
        draft.endpoint_id, secret if made else await _issued(transaction, viewer, draft.endpoint_id, secret_id)
    )


async def redeliver(transaction: Transaction, viewer: Viewer, ids: Sequence[int]) -> list[int]:
    """Have deliveries sent again, all of them or none. Those that are being sent now are left alone.

    Returns each id once, in order. Raises `RejectedError` for deliveries that do not exist, for those of an endpoint
    that is disabled or deleted, and for no or too many.
    """
    reject(writing.size_problems("id", "deliveryIds", ids, MAX_REDELIVERIES))
    parameters = {ACCOUNT: viewer.account_id, "ids": writing.unique(ids)}
    held = {row.id: row.endpoint_id for row in await transaction.fetch(_HOLD_DELIVERIES, parameters)}
    reject(writing.missing_among("webhook delivery", "deliveryIds", ids, held))
    endpoints = {ACCOUNT: viewer.account_id, "ids": writing.unique(list(held.values()))}
    enabled = {row.id for row in await transaction.fetch(_ENABLED, endpoints)}
    reject([_disabled("deliveryIds", str(place)) for place, id_ in enumerate(ids) if held[id_] not in enabled])
    values = {"now": writing.now(), "pending": t.WebhookState.PENDING, "none": 0}
    await transaction.fetch(_REDELIVER, parameters | values)
    return writing.unique(ids)


async def send_test(transaction: Transaction, viewer: Viewer, id_: int) -> int:
    """Have a test event sent. Returns the delivery's id. Raises `RejectedError` as `_check_enabled` does."""
    await _check_enabled(transaction, viewer, id_)
    return await fan_out.test(transaction, viewer, id_)


async def replay(
    transaction: Transaction, viewer: Viewer, id_: int, after: changes.ChangePosition
) -> fan_out.ReplayStep:
    """Have the events of a limited number of changes after a position sent.

    Raises `ResyncRequiredError` if the log has no continuation from there, and `RejectedError` as `_check_enabled`
    does.
    """
    await _check_enabled(transaction, viewer, id_)
    (log,) = await transaction.fetch(changes.HEAD, {ACCOUNT: viewer.account_id})
    if not changes.is_continued(log, after):
        raise changes.ResyncRequiredError
    step = await fan_out.replay(transaction, viewer, id_, after.number, REPLAYED_AT_ONCE)
    # The rest of the log has no events.
    return step if step.has_more else replace(step, end=max(step.end, log.number))


async def _check_enabled(transaction: Transaction, viewer: Viewer, id_: int) -> None:
    """Lock the endpoint. Raises `RejectedError` if it does not exist or is disabled."""
    endpoint = await _hold(transaction, viewer, id_)
    reject([] if endpoint.enabled else [_disabled("endpointId")])


_HOLD = Statement.of(visible(t.WebhookEndpoint).where(writing.is_id(_E.id)).with_for_update(), t.WebhookEndpoint)


async def _hold(transaction: Transaction, viewer: Viewer, id_: int) -> Row:
    """The endpoint with the id `endpointId`, locked. Raises `RejectedError` if it does not exist."""
    rows: list[Row] = await transaction.fetch(_HOLD, {ACCOUNT: viewer.account_id, "id": id_})
    reject([] if rows else [writing.missing("webhook endpoint", "endpointId")])
    return rows[0]


_ISSUED = Statement.of(
    visible(t.WebhookEndpoint, _E.secret).where(
        writing.is_id(_E.id), _E.secret_id == bindparam("secret_id", type_=BigInteger)
    ),
    t.WebhookEndpoint,
)


async def _issued(transaction: Transaction, viewer: Viewer, id_: int, secret_id: int) -> bytes | None:
    """The endpoint's encrypted secret, if it is the one that was made under this idempotency claim."""
    rows = await transaction.fetch(_ISSUED, {ACCOUNT: viewer.account_id, "id": id_, "secret_id": secret_id})
    return rows[0].secret if rows else None


_DELETE = Statement.of(visible_for_removal(t.WebhookEndpoint).where(writing.is_id(_E.id)), t.WebhookEndpoint)
_ENABLED = Statement.of(
    visible(t.WebhookEndpoint, _E.id).where(writing.is_one_of_ids(_E.id), _E.enabled), t.WebhookEndpoint
)
_HOLD_DELIVERIES = Statement.of(
    visible(t.WebhookDelivery, _D.id, _D.endpoint_id)
    .where(writing.is_one_of_ids(_D.id))
    .order_by(_D.id)
    .with_for_update(),
    t.WebhookDelivery,
)
_NOW: Any = bindparam("now", type_=Timestamp())
_REDELIVER = Statement.of(
    visible_for_change(t.WebhookDelivery)
    .where(writing.is_one_of_ids(_D.id), or_(_D.leased_until.is_(None), _D.leased_until < _NOW))
    .values(
        state=bindparam("pending"), due_at=_NOW, leased_until=null(), failures=bindparam("none"), finished_at=null()
    ),
    t.WebhookDelivery,
)


def _disabled(*path: str) -> Problem:
    return Problem(ProblemCode.INVALID, "The webhook endpoint is disabled", ["input", *path])
