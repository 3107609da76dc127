"""Mutations of participants: their inputs. The rules are in `db.queries.participant`."""

from __future__ import annotations

import strawberry

from db import tables as t
from db.engine import Transaction
from db.queries import participant
from db.scope import Viewer
from gql.fields.node import decode_id
from gql.mutations.argument import read_id
from gql.mutations.declare import mutation
from gql.types.message import Participant


@strawberry.input(description="Input of `addParticipant`.")
class AddParticipantInput:
    """Both are needed."""

    conversation_id: strawberry.ID = strawberry.field(description="Conversation to join.")
    member_id: strawberry.ID = strawberry.field(description="Host or client who joins.")


@mutation(Participant)
async def add_participant(transaction: Transaction, viewer: Viewer, input: AddParticipantInput) -> int:
    """Adds a host or a client to a conversation. A member who takes part already is returned unchanged."""
    member = decode_id(input.member_id)
    # An id of another table is rejected as not the id of a Host.
    table = t.Client if member.table is t.Client else t.Host
    return await participant.add(
        transaction,
        viewer,
        read_id(viewer, t.Conversation, input.conversation_id),
        table,
        read_id(viewer, table, input.member_id),
    )
