"""Fields of the change log: the cursor of its end, a page, and the node of a change.

A cursor names the epoch of the database, the account and the number of a change. It is opaque to clients and accepted
only in its canonical form.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import strawberry

from db import changes
from db import tables as t
from db.page import MAX_SIZE
from db.scope import Viewer
from gql.context import Context
from gql.errors import ClientError, Code
from gql.fields.cost import Cost, size_of, times, total
from gql.fields.enums import ChangeOperation, ChangeType
from gql.fields.field import (
    Argument,
    Arguments,
    Builder,
    Field,
    Level,
    MeasuredField,
    SelectedField,
    optional_arguments,
    required_argument,
)
from gql.fields.node import NODE_SCOPES, NODE_TABLES, decode_id, encode_id
from gql.loaders import load_row, load_rows

PAGE_SIZE = 100
# The counter and the log.
_STATEMENTS = 2


@dataclass(frozen=True, slots=True)
class FoundChange:
    """The source of the type `Change`."""

    table: type[t.Table]
    cursor: str
    type: ChangeType
    operation: ChangeOperation
    node_id: str
    row_id: int
    conversation_id: int | None


@dataclass(frozen=True, slots=True)
class FoundChanges:
    """The source of the types `ChangePage` and `ChangesEvent`."""

    changes: list[FoundChange]
    end_cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected changes: of these types, and of one conversation if it is not None."""

    types: frozenset[ChangeType]
    conversation_id: int | None


class ChangesCursorField(Field):
    """Resolves to the cursor of the log's end in the operation's snapshot."""

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> str:  # noqa: ARG002
        """The cursor."""
        return await find_end(info.context)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read it on the operation's snapshot."""
        builder.planner.count_statements(1)
        builder.add_step(selected.key, ChangesCursorStep(selected.key))


@dataclass(frozen=True, slots=True)
class ChangesCursorStep:
    """Puts the cursor into the objects."""

    key: str

    async def run(self, level: Level) -> None:
        """One statement."""
        cursor = await find_end(level.context)
        for target in level.objects:
            target[self.key] = cursor


class ChangesField(Field):
    """Resolves to a page of the log."""

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> FoundChanges:  # noqa: ARG002
        """The page."""
        return await find_changes(info.context, kwargs)

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:
        """One node for each change, and the selection on it."""
        return times(size_of(measured.nodes[0], ("first",), MAX_SIZE, PAGE_SIZE), total([below], 1))

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the selection on the page."""
        plan = builder.planner.plan_selection(selected)
        read = builder.planner.read_arguments(self, selected)
        builder.planner.count_statements(_STATEMENTS)
        builder.add_step(selected.key, ChangesStep(selected.key, read, plan))


@dataclass(frozen=True, slots=True)
class ChangesStep:
    """Puts a page of the log into the objects."""

    key: str
    read: Arguments
    plan: Any

    async def run(self, level: Level) -> None:
        """One page."""
        found = await find_changes(level.context, self.read(level.variables))
        level.add_nodes(len(found.changes))
        (shown,) = await level.below(self.plan, [found])
        for target in level.objects:
            target[self.key] = shown


class ChangedNodeField(Field):
    """Resolves to the node of a change in its present state; null if it was removed."""

    def get_result(self, source: FoundChange, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Awaitable[Any]:  # noqa: ARG002
        """The row, from the loader of its table."""
        return load_row(info.context, source.table, source.row_id)

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """One node."""
        return total([below], 1)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the selection for each type that the node can have."""
        planner = builder.planner
        plans = {
            table: planner.plan(planner.object_type(table), selected.details) for table in change_tables().values()
        }
        builder.planner.count_statements(len(plans))
        builder.add_step(selected.key, ChangedNodeStep(selected.key, plans))


@dataclass(frozen=True, slots=True)
class ChangedNodeStep:
    """Puts the nodes of a level's changes into the objects."""

    key: str
    plans: Mapping[type[t.Table], Any]

    async def run(self, level: Level) -> None:
        """One statement for each type among them."""
        places: dict[type[t.Table], list[int]] = {}
        for place, table in enumerate(level.values("table")):
            places.setdefault(table, []).append(place)
        ids = level.values("row_id")
        for table, of_table in places.items():
            plan = self.plans[table]
            known = list(dict.fromkeys(ids[place] for place in of_table))
            rows = [row for row in await load_rows(level.context, table, known, plan.columns) if row is not None]
            shown = dict(zip((row["id"] for row in rows), await level.below(plan, rows), strict=True))
            for place in of_table:
                level.objects[place][self.key] = shown.get(ids[place])


@cache
def change_tables() -> dict[ChangeType, type[t.Table]]:
    """The table of each type of node in the log."""
    logged = {t.change_type(table): table for table in NODE_TABLES.values()}
    return {type_: logged[type_] for type_ in ChangeType}


async def find_end(context: Context) -> str:
    """The cursor of the log's end in the operation's snapshot."""
    return write_cursor(context.viewer, await changes.head(context.snapshot, context.viewer))


async def find_changes(context: Context, values: Mapping[str, Any]) -> FoundChanges:
    """The page for a field's arguments. Raises `ClientError`."""
    viewer = context.viewer
    size = values.get("first")
    if size is None:
        size = PAGE_SIZE
    if not 1 <= size <= MAX_SIZE:
        raise ClientError(f"first must be from 1 to {MAX_SIZE}, not {size}")
    after, selection = read_cursor(viewer, values["after"]), read_selection(viewer, values)
    try:
        page = await changes.read(
            context.snapshot,
            viewer,
            after,
            size,
            types=selection.types,
            conversation_id=selection.conversation_id,
        )
    except changes.ResyncRequiredError:
        raise resync_required() from None
    return show_page(viewer, page)


def read_selection(viewer: Viewer, values: Mapping[str, Any]) -> Selection:
    """The selection of the arguments `types` and `conversation_id`. Raises `ClientError`."""
    conversation = values.get("conversation_id")
    return Selection(
        _allowed_types(viewer, values.get("types")),
        None if conversation is None else decode_id(conversation, t.Conversation).seen_by(viewer),
    )


def resync_required() -> ClientError:
    """The log has no continuation from a cursor."""
    message = "The change log cannot be continued from this cursor: read the lists again, with changesCursor"
    return ClientError(message, Code.RESYNC_REQUIRED)


def show_page(viewer: Viewer, page: changes.ChangeBatch) -> FoundChanges:
    """The page as the source of its type."""
    found = [_show(viewer, row, page.end.epoch) for row in page.changes]
    return FoundChanges(found, write_cursor(viewer, page.end), page.has_more)


def _show(viewer: Viewer, row: Any, epoch: str) -> FoundChange:
    type_ = ChangeType(row.type)
    table = change_tables()[type_]
    # The id of an account belongs to no account.
    account = viewer.account_id if issubclass(table, t.TenantTable) else 0
    return FoundChange(
        cursor=write_cursor(viewer, changes.ChangePosition(epoch, row.number)),
        type=type_,
        operation=ChangeOperation(row.operation),
        node_id=encode_id(table, account, row.node_id),
        table=table,
        row_id=row.node_id,
        conversation_id=row.conversation_id,
    )


def _allowed_types(viewer: Viewer, asked: list[ChangeType] | None) -> frozenset[ChangeType]:
    """The requested types, or all that the token allows. Raises `ClientError` for a type that it does not allow."""
    missing = {type_: NODE_SCOPES[table] - viewer.scopes for type_, table in change_tables().items()}
    if asked is None:
        return frozenset(type_ for type_, scopes in missing.items() if not scopes)
    if lacking := sorted(frozenset().union(*(missing[type_] for type_ in asked))):
        raise ClientError(
            f"These types require the scopes {', '.join(lacking)}", Code.FORBIDDEN, requiredScopes=lacking
        )
    return frozenset(asked)


def write_cursor(viewer: Viewer, position: changes.ChangePosition) -> str:
    """The cursor of a position in the viewer's log."""
    parts = [position.epoch, viewer.account_id, position.number]
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def read_cursor(viewer: Viewer, text: str) -> changes.ChangePosition:
    """The position of a cursor. Raises `ClientError` for anything but a cursor of the viewer's log."""
    try:
        epoch, account, number = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        position = changes.ChangePosition(epoch, number)
        canonical = isinstance(epoch, str) and type(number) is int and write_cursor(viewer, position) == text
    except (ValueError, TypeError, binascii.Error):
        canonical = False
    if not canonical or account != viewer.account_id or not 0 <= number < 1 << 63:
        raise ClientError("This is not a cursor of the change log")
    return position


def changes_cursor(description: str) -> Any:
    """The cursor of the log's end."""
    return ChangesCursorField(python_name=None, description=description)


def change_page(description: str) -> Any:
    """A field of the root for a page of the log."""
    field = ChangesField(python_name=None, description=description)
    first = Argument(int | None, "Returns at most n changes, 1 to 100; 100 if it is not given.")
    field.arguments = [
        required_argument("after", str, "Returns changes after this cursor."),
        *optional_arguments({"first": first, **SELECTING}),
    ]
    return field


# The arguments that `read_selection` reads.
SELECTING = {
    "types": Argument(
        list[ChangeType] | None,
        "Returns only changes of these types. If it is not given, all types that the token's scopes allow.",
    ),
    "conversation_id": Argument(
        strawberry.ID | None, "Returns only changes of this conversation, its messages and participants."
    ),
}


def changed_node(description: str) -> Any:
    """The field for the node of a change."""
    return ChangedNodeField(python_name=None, description=description)
