"""Documents of users, with their complete responses and the statements that ran.

`operations/<entity>/<purpose>.graphql` runs on a copy of the small inbox of `operations/data.py`; the files `.json` and
`.sql` with the same name have the response and the statements. `pytest --update-operations` rewrites both, so that the
diff can be reviewed. A document runs as user:1 of account 1 unless its first line says otherwise.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    parse,
    validate,
    visit,
)

from db.queries.conversation import derived
from gql.execution.call import Parameters
from gql.execution.document import Documents
from gql.execution.executor import Executor
from gql.execution.persisted import Reference
from gql.schema import build_schema
from tests.operations.data import store_inbox
from tests.operations.documents import DOCUMENTS, FOLDER, as_written, writes
from tests.oracles.reference import VIEWER
from tests.support.client import Statements, make_settings
from tests.support.database import drop
from tests.support.serving import serving


@pytest.fixture(scope="session")
def inbox(template: str, create_database: Callable[[str], str]) -> str:
    """The name of a template database with the small inbox."""
    dsn = create_database(template)

    async def fill() -> None:
        connection = await asyncpg.connect(dsn)
        await store_inbox(connection)
        await connection.close()

    asyncio.run(fill())
    return urlsplit(dsn).path[1:]


@pytest.fixture(scope="session")
def read_only_dsn(inbox: str, create_database: Callable[[str], str]) -> str:
    """A copy of the small inbox for all queries."""
    return create_database(inbox)


@pytest.fixture
def document(path: Path) -> str:
    """The text of the document."""
    return path.read_text()


@pytest.fixture
def inbox_dsn(document: str, server_dsn: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A copy of the small inbox, a new one for each mutation."""
    if not writes(document):
        yield request.getfixturevalue("read_only_dsn")
        return
    copy = request.getfixturevalue("create_database")(request.getfixturevalue("inbox"))
    yield copy
    drop(server_dsn, copy)


@pytest.fixture
def compare(path: Path, request: pytest.FixtureRequest) -> Callable[[Any, str], None]:
    """A function that compares a response and its statements with the files, or rewrites the files if requested."""

    def compare_with_kept(answer: Any, sql: str) -> None:
        if request.config.getoption("--update-operations"):
            path.with_suffix(".json").write_text(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
            path.with_suffix(".sql").write_text(sql)
        assert answer == json.loads(path.with_suffix(".json").read_text())
        assert sql == path.with_suffix(".sql").read_text()

    return compare_with_kept


@pytest.mark.anyio
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_a_document_has_its_answer_and_its_statements(
    document: str, inbox_dsn: str, statements: Statements, compare: Callable[[Any, str], None]
) -> None:
    async with serving(inbox_dsn, statements) as client:
        viewer = as_written(client, document)
        await viewer.data("{ __typename }")
        statements.take()
        answer = await viewer.answer(document)

    compare(answer, "\n\n".join(f"{_normalise(sql)};" for sql in statements.take()) + "\n")


# The statements that derive values are long, and the same after each write.
_DERIVED = {
    derived.COUNTERS: "-- db.queries.derivation.COUNTERS",
    derived.TEXTS: "-- db.queries.derivation.TEXTS",
}


def _normalise(sql: str) -> str:
    sql = _DERIVED.get(sql, sql)
    sql = re.sub(r"\s*\n\s*", "\n", sql.strip())
    # Activities have their times as literals.
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "…", sql)


# The most statements and the highest cost of the screens of an inbox, by the first word of their documents.
SCREENS = {"list": (14, 600), "pickers": (8, 600), "thread": (10, 600)}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("screens/*.graphql")), ids=lambda path: path.stem)
def test_a_screen_takes_few_statements_and_few_nodes(path: Path) -> None:
    statements, cost = SCREENS[path.stem.partition("_")[0]]
    schema, settings = build_schema(), make_settings("postgresql://nowhere")
    operation = Documents(schema, settings).operation(path.read_text(), None)

    assert path.with_suffix(".sql").read_text().count(";\n") <= statements
    assert Executor(schema, settings).call(operation, Parameters(Reference(), None, None), VIEWER).cost < cost


def test_every_answer_belongs_to_a_document() -> None:
    kept = {path for path in FOLDER.glob("*/*") if path.suffix in {".json", ".sql"}}

    assert kept == {path.with_suffix(suffix) for path in DOCUMENTS for suffix in (".json", ".sql")}


def test_the_documents_select_every_field_and_give_every_argument_and_input_field() -> None:
    schema = build_schema()._schema  # noqa: SLF001  # the graphql-core schema; Strawberry has no other way to it
    collector = _Collector(schema)
    for path in DOCUMENTS:
        document = parse(path.read_text())
        assert validate(schema, document) == [], path
        visit(document, TypeInfoVisitor(collector.info, collector))

    # These values differ each time; test_rate.py and test_secrets.py cover them. Subscriptions have many results;
    # tests/live covers them.
    unnamed = {"RateLimit.remaining", "RateLimit.resetAt"}
    unnamed |= {"CreateWebhookEndpointPayload.secret", "RotateWebhookSecretPayload.secret"}
    unnamed |= {name for name in _nameable(schema) if name.startswith(("Subscription.", "ChangesEvent."))}
    assert set(_nameable(schema)) - collector.named == unnamed


def _nameable(schema: GraphQLSchema) -> Iterator[str]:
    """All names of the schema in the forms `Type.field`, `Type.field(argument)` and `Input.field`."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            yield from (f"{type_.name}.{name}" for name in type_.fields)
        elif isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for name, field in type_.fields.items():
                yield f"{type_.name}.{name}"
                yield from (f"{type_.name}.{name}({argument})" for argument in field.args)


class _Collector(Visitor):
    """Collects the names that documents use, in the forms of `_nameable`."""

    def __init__(self, schema: GraphQLSchema) -> None:
        super().__init__()
        self.info = TypeInfo(schema)
        self.named: set[str] = set()

    def enter_field(self, node: Any, *_: Any) -> None:
        parent = self.info.get_parent_type()
        assert parent is not None
        self.named.add(f"{parent.name}.{node.name.value}")

    def enter_argument(self, node: Any, _key: Any, _parent: Any, _path: Any, ancestors: list[Node]) -> None:
        field: Any = ancestors[-1]
        parent = self.info.get_parent_type()
        assert parent is not None
        self.named.add(f"{parent.name}.{field.name.value}({node.name.value})")

    def enter_object_field(self, node: Any, *_: Any) -> None:
        parent: Any = get_named_type(self.info.get_parent_input_type())
        self.named.add(f"{parent.name}.{node.name.value}")
