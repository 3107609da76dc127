"""The field for the participant as whom the viewer writes in a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry

from db import tables as t
from db.page import Page
from db.queries import participant
from db.relations import Many, Window
from db.scope import Viewer
from gql.fields.cost import Cost, total
from gql.fields.field import Arguments, Builder, Field, Level, MeasuredField, SelectedField, required_argument
from gql.fields.node import decode_id
from gql.loaders import load_slice, load_slices

_PARTICIPANTS = Many.along(t.Participant.conversation_id)


class WriterField(Field):
    """Resolves to the sender of the viewer's messages in a conversation; null before the first one, or without host."""

    @property
    def targets(self) -> tuple[type[t.Table], ...]:
        """The table whose rows the field leads to."""
        return (t.Participant,)

    @property
    def is_personal(self) -> bool:
        """True: it is the viewer's own."""
        return True

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The row, from a page of one."""
        viewer: Viewer = info.context.viewer
        conversation = self.find(viewer, kwargs)
        if viewer.actor_type is not t.CreatorType.USER:
            return None
        page = await load_slice(info.context, _PARTICIPANTS, self.window(viewer), conversation)
        return page.rows[0] if page.rows else None

    @staticmethod
    def find(viewer: Viewer, values: Mapping[str, Any]) -> int:
        """The conversation's number. Raises `ClientError` for a malformed id, and for one of another table."""
        return decode_id(values["conversation_id"], t.Conversation).seen_by(viewer)

    @staticmethod
    def window(viewer: Viewer) -> Window:
        """The first participant of the viewer's host."""
        return Window(Page(size=1), where=(participant.written_by(viewer),))

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """One node."""
        return total([below], 1)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read the row with the selected columns."""
        plan = builder.planner.plan_selection(selected)
        read = builder.planner.read_arguments(self, selected)
        builder.planner.count_statements(1)
        builder.add_step(selected.key, WriterStep(selected.key, self, read, plan))


@dataclass(frozen=True, slots=True)
class WriterStep:
    """Puts the participant into the objects of the level."""

    key: str
    field: WriterField
    read: Arguments
    plan: Any

    async def run(self, level: Level) -> None:
        """One row, or null."""
        viewer = level.context.viewer
        conversation = self.field.find(viewer, self.read(level.variables))
        shown: list[Any] = []
        if viewer.actor_type is t.CreatorType.USER:
            window = self.field.window(viewer)
            (page,) = await load_slices(level.context, _PARTICIPANTS, window, [conversation], self.plan.columns)
            shown = await level.below(self.plan, page.rows)
        for target in level.objects:
            target[self.key] = shown[0] if shown else None


def writer(description: str) -> Any:
    """A field of the viewer for the participant as whom they write in the conversation of an argument."""
    field = WriterField(python_name=None, description=description)
    field.arguments = [required_argument("conversation_id", strawberry.ID, "Conversation to write in.")]
    return field
