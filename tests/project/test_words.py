"""The texts that people read: every part of the schema is described, in plain words, and names its scopes."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gql.fields.node import required_scopes
from gql.schema import build_schema

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / ".github").rglob("*.md"))]
# Words that hide who does what. "Tell apart" and "tells" have better verbs: derive, return, select, name.
RIDDLES = re.compile(
    r"\b(?:tells?|told|goes? by|such as it is|as good as|go(?:es)? on with|gone on|who(?:m)?ever|whatever else|so many"
    r"|(?:came|comes?|became|becomes?) of|turned away|leads? nowhere)\b|\bwhat [^.;:]{1,40} is of\b",
    re.IGNORECASE,
)


SOURCES = sorted(path for folder in ("db", "gql", "tests") for path in (ROOT / folder).rglob("*.py"))


def remarks(source: str) -> Iterator[tuple[int, str]]:
    """The comments and docstrings of Python code, with the lines where they begin."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        # A string that is a statement is a docstring: that of a module, class or function, or of the attribute above.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """The schema that is served."""
    return build_schema()._schema  # noqa: SLF001  # graphql-core's schema


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """The name and description of each part of the schema."""
    yield "schema", schema.description
    for name, type_ in schema.type_map.items():
        if name.startswith("__") or name in {"String", "Int", "Boolean", "ID", "Float"}:
            continue
        yield name, type_.description
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{value}", each.description) for value, each in type_.values.items())
        elif isinstance(type_, GraphQLInputObjectType):
            yield from ((f"{name}.{field}", each.description) for field, each in type_.fields.items())
        elif isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field, each in type_.fields.items():
                yield f"{name}.{field}", each.description
                yield from ((f"{name}.{field}({key}:)", argument.description) for key, argument in each.args.items())


def test_every_part_of_the_schema_is_described(schema: GraphQLSchema) -> None:
    parts = list(described(schema))

    assert len(parts) > 300
    assert [name for name, text in parts if not text or not text.strip().endswith(".")] == []


def test_the_schema_is_described_in_plain_words(schema: GraphQLSchema) -> None:
    assert {name: text for name, text in described(schema) if text and RIDDLES.search(text)} == {}


def test_what_requires_a_scope_names_it(schema: GraphQLSchema) -> None:
    elements: dict[str, Any] = {
        name: type_ for name, type_ in schema.type_map.items() if isinstance(type_, GraphQLObjectType)
    }
    for root in (schema.query_type, schema.mutation_type):
        assert root is not None
        elements |= {f"{root.name}.{name}": field for name, field in root.fields.items()}
    required = {
        name: required_scopes(definition)
        for name, element in elements.items()
        # A connection and an edge require what their nodes do, whose types name it.
        if (definition := element.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)) is not None
        and not getattr(definition, "type_var_map", None)
        and not getattr(definition, "specialized_type_var_map", None)
    }

    assert {"Booking", "Conversation", "InboxCounts", "Mutation.createMessage"} <= {
        n for n, scopes in required.items() if scopes
    }
    # A field names the scopes of its type as well, so that the documentation shows them where the field is selected.
    fields = {
        f"{type_.name}.{name}": (field, get_named_type(field.type))
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not type_.name.endswith(("Payload", "Connection", "Edge"))
        for name, field in type_.fields.items()
    }
    for name, (field, type_) in fields.items():
        owner = required.get(name.partition(".")[0], frozenset())
        elements.setdefault(name, field)
        required[name] = required.get(name, frozenset()) | required.get(type_.name, frozenset()) - owner
    assert required["Conversation.guest"] == {"clients_read"}
    unnamed = {
        (name, scope)
        for name, scopes in required.items()
        for scope in scopes
        if f"`{scope}`" not in elements[name].description
    }
    assert unnamed == set()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_pages_are_written_in_plain_words(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()

    assert [f"{number}: {line}" for number, line in enumerate(lines, 1) if RIDDLES.search(line)] == []


def test_decisions_are_numbered() -> None:
    decisions = sorted((ROOT / ".github/decisions").glob("*.md"))

    assert [page.name.partition("-")[0] for page in decisions] == [f"{at:04}" for at in range(1, len(decisions) + 1)]
    for page in decisions:
        number, _, title = page.read_text().partition("\n")[0].removeprefix("# ").partition(". ")
        assert (number, bool(title)) == (str(int(page.name[:4])), True), page.name


def test_remarks_are_found_wherever_they_stand() -> None:
    source = '"""One."""\nx = "no"  # two\n"""Three."""\ndef f():\n    """Four\n    told."""\n'

    assert sorted(remarks(source)) == [(1, "One."), (2, "# two"), (3, "Three."), (5, "Four\n    told.")]


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_comments_docstrings_and_names_are_written_in_plain_words(path: Path) -> None:
    source = path.read_text(encoding="utf-8")

    names = [
        node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [name for name in names if RIDDLES.search(name.replace("_", " "))] == []
    # This file contains the words themselves.
    found = [(line, text) for line, text in remarks(source) if RIDDLES.search(text) and "have better verbs" not in text]
    assert found == []
