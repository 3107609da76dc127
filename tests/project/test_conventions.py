"""The exported schema keeps the conventions of the tools that read it, and breaks nothing of the last release.

The linters run if Node.js and their packages are installed: `.ci/run` has the versions.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    NullValueNode,
    build_schema,
    is_non_null_type,
)
from graphql.utilities import find_breaking_changes

ROOT = Path(__file__).parents[2]
EXPORTED = ROOT / "schema.graphql"
RELEASED = Path(__file__).with_name("released.graphql")
NODE = shutil.which("node")
PACKAGES = Path(os.environ.get("SCHEMA_PACKAGES") or ROOT / ".cache/schema").absolute()
PROGRAM = Path(__file__).with_name("schema.mjs")
BUILT_IN = {"Boolean", "Float", "ID", "Int", "String"}
# Breaking changes since the last release that were announced by a deprecation (`.github/docs/api-changes.md`).
ANNOUNCED: list[str] = []


@pytest.fixture(scope="module")
def exported() -> GraphQLSchema:
    """The exported schema."""
    return build_schema(EXPORTED.read_text())


def test_nothing_of_the_last_release_breaks(exported: GraphQLSchema) -> None:
    released = build_schema(RELEASED.read_text())

    assert [change.description for change in find_breaking_changes(released, exported)] == ANNOUNCED


def test_a_removed_field_is_noticed(exported: GraphQLSchema) -> None:
    """A test of the comparison."""
    other = build_schema(EXPORTED.read_text().replace("  waitingSince: DateTime\n", "  waitsSince: DateTime\n"))

    changes = [change.description for change in find_breaking_changes(exported, other)]

    assert changes
    assert all("waitingSince" in change for change in changes)


@pytest.mark.skipif(NODE is None, reason="needs Node.js")
@pytest.mark.skipif(
    not (PACKAGES / "node_modules/graphql-schema-linter").exists(), reason="needs npm packages in .cache/schema"
)
@pytest.mark.slow
def test_the_linters_find_no_problem(tmp_path: Path) -> None:
    bad = tmp_path / "bad.graphql"
    bad.write_text("type Query { things: ThingConnection } type ThingConnection { a: Int }")

    assert lint(EXPORTED) == []
    assert len(lint(bad)) > 2


def lint(schema: Path) -> list[str]:
    """The problems of a schema file."""
    done = subprocess.run(  # noqa: S603
        [str(NODE), PROGRAM, schema],
        env=os.environ | {"SCHEMA_PACKAGES": str(PACKAGES)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    problems: list[str] = json.loads(done.stdout)
    return problems


def inputs(schema: GraphQLSchema) -> list[GraphQLInputObjectType]:
    """The input types."""
    return [type_ for type_ in schema.type_map.values() if isinstance(type_, GraphQLInputObjectType)]


def test_an_optional_input_field_has_no_null_as_its_default(exported: GraphQLSchema) -> None:
    fields = [field.ast_node for type_ in inputs(exported) for field in type_.fields.values()]
    defaults = [node.default_value for node in fields if node is not None and node.default_value is not None]

    assert defaults
    assert [default for default in defaults if isinstance(default, NullValueNode)] == []


def test_an_input_of_a_mutation_says_what_null_means(exported: GraphQLSchema) -> None:
    silent = {
        f"{type_.name}.{name}"
        for type_ in inputs(exported)
        if type_.name.endswith("Input") and "null" not in (type_.description or "").lower()
        for name, field in type_.fields.items()
        if not is_non_null_type(field.type) and "null" not in (field.description or "").lower()
    }

    assert silent == set()


def test_an_input_names_its_conversation_first(exported: GraphQLSchema) -> None:
    named = {"conversationId", "conversationIds"}
    places = {
        type_.name: [*type_.fields].index(name)
        for type_ in inputs(exported)
        if type_.name.endswith("Input")
        for name in named & type_.fields.keys()
    }

    assert len(places) > 5
    assert {name: place for name, place in places.items() if place} == {}


def test_every_scalar_says_where_it_is_specified(exported: GraphQLSchema) -> None:
    scalars = [type_ for type_ in exported.type_map.values() if isinstance(type_, GraphQLScalarType)]

    assert {type_.name for type_ in scalars if not type_.specified_by_url} == BUILT_IN & exported.type_map.keys()
