"""The types of the API, one file per entity, and `link()`, which lets them refer to each other.

Types refer to each other in circles. Each module imports its peers for the type checker only. `link()` puts the classes
into the modules' namespaces before Strawberry resolves the annotations.
"""

from collections.abc import Iterator

from db import tables as t
from gql.fields.field import Field
from gql.fields.node import NODE_TABLES, NODE_TYPES
from gql.types import account, activity, actor, booking, change, conversation, message, person, rental, source, webhook

MODULES = (account, activity, actor, booking, change, conversation, message, person, rental, source, webhook)
NODES: tuple[type, ...] = tuple(NODE_TYPES[name] for name in sorted(NODE_TYPES))
# Types of fields that are no nodes.
OTHERS = {
    "ConversationConnection": conversation.ConversationConnection,
    "Creator": actor.Creator,
    "Member": message.Member,
}


def link() -> None:
    """Put all types into the module of each type. Idempotent.

    Raises `TypeError` if a relation leads to a table without a type.
    """
    for place, table in _referred():
        if table.__name__ not in NODE_TABLES:
            name = table.__name__
            raise TypeError(
                f"{name} has a table and no type, and {place} leads to it: declare a class {name} with @node in "
                "gql/types, and import its module in gql/types/__init__.py"
            )
    peers = {cls.__name__: cls for cls in NODES} | OTHERS
    for module in MODULES:
        vars(module).update(peers)


def _referred() -> Iterator[tuple[str, type[t.Table]]]:
    """The tables to which fields of nodes lead, with the field."""
    for cls in NODES:
        for field in cls.__strawberry_definition__.fields:  # type: ignore[attr-defined]
            for table in field.targets if isinstance(field, Field) else ():
                yield f"{cls.__name__}.{field.python_name}", table
