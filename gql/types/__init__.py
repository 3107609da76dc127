"""The types of the API, one file an entity; and `link()`, which lets them name each other.

Types refer to each other in circles. Each module imports its peers for the type checker only. `link()` puts the classes
into the modules' namespaces before Strawberry resolves the annotations.
"""

import sys

from db import tables as t
from gql.fields.node import NODE_TABLES, required_scopes
from gql.types.account import Account
from gql.types.actor import Application, Creator, User
from gql.types.booking import Booking, Inquiry
from gql.types.conversation import Conversation
from gql.types.message import Member, Message, Participant
from gql.types.person import Client, Host
from gql.types.rental import Rental
from gql.types.source import Source

NODES: tuple[type, ...] = (
    Account,
    Application,
    Booking,
    Client,
    Conversation,
    Host,
    Inquiry,
    Message,
    Participant,
    Rental,
    Source,
    User,
)
NODE_SCOPES: dict[type[t.Table], frozenset[str]] = {
    NODE_TABLES[cls.__name__]: required_scopes(cls.__strawberry_definition__)  # type: ignore[attr-defined]
    for cls in NODES
}
UNIONS = {"Creator": Creator, "Member": Member}


def link() -> None:
    """Put every type into every type's module. Idempotent."""
    peers = {cls.__name__: cls for cls in NODES} | UNIONS
    for module in {cls.__module__ for cls in NODES}:
        vars(sys.modules[module]).update(peers)
