"""The root of writing: every mutation is a field here, defined in its entity's file."""

import strawberry

from gql.mutations import conversation


@strawberry.type(description="Writing. A field that reports `userErrors` has changed nothing.")
class Mutation:
    """Each field is one transaction."""

    create_conversation = conversation.create_conversation
    update_conversation = conversation.update_conversation
    connect_bookings = conversation.connect_bookings
    disconnect_bookings = conversation.disconnect_bookings
