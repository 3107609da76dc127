"""Nodes: the types of rows, and their global ids.

An id contains the type, the account and the number. It is opaque to clients, never changes, and is accepted only in the
exact form that the server issues. The id of another account's node is well-formed, but finds nothing.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, dataclass_transform

import strawberry
from strawberry.schema_directive import Location

from db import tables as t
from db.scope import Viewer
from db.statement import row_type
from gql.errors import ClientError
from gql.fields.computed import computed
from gql.fields.field import Builder, Field, SelectedField
from gql.fields.scalars import BigInt

# Replaces the ids of other accounts. Ids start at 1, so looking it up finds nothing, at the cost of any unknown id.
NOWHERE = 0

# Registered by `@node`: tables and types by their common name, and the scopes that a table's rows require.
NODE_TABLES: dict[str, type[t.Table]] = {}
NODE_TYPES: dict[str, type] = {}
NODE_SCOPES: dict[type[t.Table], frozenset[str]] = {}

_T = TypeVar("_T")


class GlobalId(NamedTuple):
    """A decoded id. `account` is 0 for rows without an account."""

    table: type[t.Table]
    account: int
    id: int

    def seen_by(self, viewer: Viewer) -> int:
        """The number to look up for `viewer`: `NOWHERE` for a node of another account."""
        return self.id if self.account in {0, viewer.account_id} else NOWHERE


def encode_id(table: type[t.Table], account: int, id_: int) -> str:
    """The global id of a row; `account` is 0 for accounts and applications."""
    return urlsafe_b64encode(f"{table.__name__}:{account}:{id_}".encode()).decode().rstrip("=")


def id_encoder(table: type[t.Table], account: int) -> Callable[[Sequence[int]], list[str]]:
    """`encode_id` for the rows of a level, which are of one table and account.

    Numbers with the same number of digits are encoded together, each padded to whole groups of base64: 0.15 µs an id
    instead of 0.3, of which a page of 50 conversations with all that belongs to them has 1,000. The standard alphabet
    is enough: letters, digits and colons never encode to `+` or `/`.
    """
    owner = account if issubclass(table, t.TenantTable) else 0
    prefix = f"{table.__name__}:{owner}:".encode()

    def encode(ids: Sequence[int]) -> list[str]:
        if not ids:
            return []
        length = len(prefix) + len(str(min(ids)))
        if length < len(prefix) + len(str(max(ids))):
            return [encode_id(table, owner, id_) for id_ in ids]
        padding = -length % 3
        padded = b"%b%%d%b" % (prefix, bytes(padding))
        text = b2a_base64(padded * len(ids) % tuple(ids), newline=False).decode()
        width = (length + padding) // 3 * 4
        return [text[start : start + width - padding] for start in range(0, len(text), width)]

    return encode


def decode_id(text: str, table: type[t.Table] | None = None) -> GlobalId:
    """The row of an id. Raises `ClientError` for a malformed id, and for one of another table than `table`.

    Raises `RuntimeError` before `gql.types` is imported, because it declares the types of ids.
    """
    if not NODE_TABLES:
        raise RuntimeError("No type is declared that an id could name: import gql.types first")
    found = _decode(text)
    if table is not None and found.table is not table:
        raise ClientError(f"{_glance(text)} is the id of {_one(found.table.__name__)}, not of {_one(table.__name__)}")
    return found


@lru_cache(maxsize=4_096)
def _decode(text: str) -> GlobalId:
    """The row of an id. An app sends the same ids again: to find one takes 0.2 µs, to decode it 4."""
    try:
        name, account, id_ = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").split(":")
        found = GlobalId(NODE_TABLES[name], int(account), int(id_))
    except (ValueError, KeyError, binascii.Error):
        raise ClientError(f"{_glance(text)} is not an id") from None
    tenant = issubclass(found.table, t.TenantTable)
    if encode_id(found.table, found.account, found.id) != text or not (
        0 < found.id < 1 << 63 and (0 < found.account < 1 << 63 if tenant else found.account == 0)
    ):
        raise ClientError(f"{_glance(text)} is not an id")
    return found


def _one(name: str) -> str:
    return f"an {name}" if name[0] in "AEIO" else f"a {name}"


def _glance(text: str) -> str:
    """`text` for a message, if it is short and printable."""
    return f'"{text}"' if len(text) <= 50 and text.isprintable() else "What was given"  # noqa: PLR2004


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.OBJECT],
    description="Operations that select this are rejected unless the token has all of these scopes.",
)
class RequiresScopes:
    """The scopes that a selection requires."""

    scopes: list[str]


def require(scopes: Sequence[str]) -> str:
    """The sentence about the scopes in a description; empty without scopes."""
    named = " and ".join(f"`{scope}`" for scope in scopes)
    return f"Requires the scope{'s' if len(scopes) > 1 else ''} {named}." if scopes else ""


def required_scopes(definition: Any) -> frozenset[str]:
    """The scopes in the directive on a Strawberry type or field; for a connection or edge, those of its node."""
    own = {scope for item in definition.directives or () if isinstance(item, RequiresScopes) for scope in item.scopes}
    generic = (getattr(definition, name, None) for name in ("type_var_map", "specialized_type_var_map"))
    nodes: Iterable[Any] = next(filter(None, generic), {}).values()
    return frozenset(own).union(*(required_scopes(node.__strawberry_definition__) for node in nodes))


class IdField(Field):
    """`id` of any node: every row knows its table."""

    @property
    def is_basic_field(self) -> bool:
        """True: resolving needs only the row."""
        return True

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The id of the row, for Strawberry."""
        return encode_id(source.table, source.get("account_id", 0), source.id)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Encode the ids of a level together."""
        builder.show(selected.key, builder.global_id())


@strawberry.interface(description="An object with a global id.")
class Node:
    """The interface of all rows."""

    id: strawberry.ID = IdField(python_name=None, description="Global id: opaque, unique across all types, and stable.")  # type: ignore[assignment]


@dataclass_transform(kw_only_default=True)
def node(table: type[t.Table], *, scopes: Sequence[str] = ()) -> Callable[[type[_T]], type[_T]]:
    """Declare a class as the node of `table`'s rows, described by its docstring, which requires `scopes`.

    `databaseId` is added. Raises `TypeError` if the class does not have the table's name.
    """
    row = row_type(table)

    def declare(cls: type[_T]) -> type[_T]:
        if cls.__name__ != table.__name__:
            raise TypeError(f"The type {cls.__name__} has the table {table.__name__}: give both one name")
        NODE_TABLES[cls.__name__] = table
        NODE_SCOPES[table] = frozenset(scopes)
        cls.__annotations__ = {"database_id": BigInt, **cls.__annotations__}
        cls.database_id = computed(int, table.id, description="Integer id, as in the REST API.")  # type: ignore[attr-defined]
        cls.is_type_of = classmethod(lambda _cls, source, _info: isinstance(source, row))  # type: ignore[attr-defined]
        NODE_TYPES[cls.__name__] = cls
        return strawberry.type(
            cls,
            description=" ".join(filter(None, [cls.__doc__, require(scopes)])),
            directives=[RequiresScopes(scopes=list(scopes))] if scopes else [],
        )

    return declare
