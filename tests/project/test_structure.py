"""Checks the rules for the structure of the code."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import gql

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for package in ("db", "gql", "tests") for path in (ROOT / package).rglob("*.py"))
PRODUCTION = [path for path in SOURCES if path.relative_to(ROOT).parts[0] != "tests"]

# From bottom to top: each part imports from those before it, from its own folder, and from those in the same set.
DB_ORDER = [
    {"db.refusal"},
    {"db.tables"},
    {"db.scope"},
    {"db.problem", "db.page", "db.criterion", "db.nesting"},
    {"db.seek"},
    {"db.failure"},
    {"db.session", "db.pool", "db.texts", "db.times", "db.commit", "db.thread", "db.cache"},
    {"db.statement"},
    {"db.engine"},
    {"db.compiled"},
    {"db.selection"},
    {"db.relations"},
    {"db.changes", "db.listen"},
    {"db.queries"},
    {"db.migrations", "db.embedded", "db.seed", "db.bookingsync"},
]
# These write rows of all accounts, and so begin statements themselves.
BULK = ("db/bookingsync/", "db/seed/", "db/migrations/")
TEST_ROOMS = {
    *("web", "live", "clients", "webhooks", "security", "execution"),
    *("reading", "writing", "delivery", "importing", "operating", "project"),
}
VISIBLE = {
    "README.md",
    "LICENSE",
    "db",
    "gql",
    "pyproject.toml",
    "schema.graphql",
    "tests",
}


def name(path: Path) -> str:
    """The module's dotted name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    """The module's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"))


def ids(paths: list[Path]) -> list[str]:
    """The ids of the tests of these files."""
    return [str(path.relative_to(ROOT)) for path in paths]


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All descendants except those for the type checker only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from run_time_nodes(child)


@cache
def imported(path: Path) -> frozenset[str]:
    """The project's modules that the module imports when it runs."""
    modules = {name(source) for source in PRODUCTION}
    found: set[str] = set()
    for node in run_time_nodes(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            assert node.module is not None
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (within & modules) or {node.module}
    return frozenset(found & modules)


def layer(module: str) -> str:
    """The part of the map that a module belongs to: `gql.types.account` is of `gql.types`."""
    return ".".join(module.split(".")[:2])


def gql_order() -> list[str]:
    """The modules in the map of `gql/__init__.py`, from bottom to top."""
    listed = re.findall(r"^(\w+) {2,}\S", gql.__doc__ or "", re.MULTILINE)
    return [f"gql.{module}" for module in listed]


def layers() -> dict[str, int]:
    """The position of each part of both packages in the order."""
    ordered = [*DB_ORDER, *({module} for module in gql_order())]
    return {module: height for height, modules in enumerate(ordered) for module in modules}


def test_the_map_lists_every_module_once() -> None:
    modules = {layer(name(path)) for path in PRODUCTION} - {"db", "gql", "gql.__main__"}
    heights = layers()

    assert modules == set(heights)
    assert len(heights) == sum(map(len, DB_ORDER)) + len(gql_order())


@pytest.mark.parametrize("path", PRODUCTION, ids=ids(PRODUCTION))
def test_imports_point_up_the_map(path: Path) -> None:
    module = name(path)
    if module in {"gql.__main__", "gql", "db"}:
        return
    heights = layers()
    for other in imported(path):
        if layer(other) in {"gql", "db"} or layer(other) == layer(module):
            continue
        assert heights[layer(other)] < heights[layer(module)] or _beside(other, module), f"{module} imports {other}"


def _beside(other: str, module: str) -> bool:
    """Whether both are in the same set, and so may import each other."""
    return any({layer(other), layer(module)} <= beside for beside in DB_ORDER)


def test_no_imports_go_round_in_circles() -> None:
    modules = {name(path): imported(path) for path in PRODUCTION}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module in done:
            return
        for other in modules[module]:
            # A package's `__init__` imports its modules, which name the package when they import each other.
            if not module.startswith(f"{other}."):
                visit(other, (*trail, module))
        done.add(module)

    for module in modules:
        visit(module, ())


@pytest.mark.parametrize("path", SOURCES, ids=ids(SOURCES))
def test_imports_stand_at_the_top_of_a_module(path: Path) -> None:
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = [
        f"{path}:{node.lineno}"
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert inside == []


def test_the_data_does_not_know_graphql() -> None:
    known = {
        f"{name(path)} imports {module}"
        for path in PRODUCTION
        if name(path).startswith("db")
        for module in _all_imports(path)
        if module.split(".")[0] in {"gql", "strawberry", "graphql", "starlette"}
    }

    assert known == set()


def test_graphql_builds_no_sql() -> None:
    known = {
        (name(path), module)
        for path in PRODUCTION
        if name(path).startswith("gql")
        for module in _all_imports(path)
        if module.split(".")[0] in {"sqlalchemy", "sqlmodel", "asyncpg"}
    }

    assert known <= CONNECTING


def test_rows_are_written_by_statements_and_not_by_a_session() -> None:
    """Only migrations connect through SQLAlchemy."""
    sessions = {
        name(path)
        for path in PRODUCTION
        for module in _all_imports(path)
        if module.startswith(("sqlalchemy.ext", "sqlalchemy.orm", "sqlmodel.ext"))
    }

    assert sessions <= {"db.migrations.apply"}


# The command line connects, and distinguishes a database that is unavailable from a defect.
CONNECTING = {
    ("gql.cli.database", "asyncpg"),
    ("gql.cli.database", "sqlalchemy.exc"),
    ("gql.cli.failure", "asyncpg"),
    ("gql.cli.failure", "sqlalchemy.exc"),
    ("gql.cli.epoch", "asyncpg"),
    ("gql.cli.importing", "asyncpg"),
    ("gql.cli.seeding", "asyncpg"),
}


def _all_imports(path: Path) -> set[str]:
    """All imports of a module, including those for the type checker."""
    nodes = list(ast.walk(tree(path)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_statements_begin_at_the_one_door() -> None:
    """Only `db.scope` begins a SELECT, UPDATE or DELETE; `db.relations` selects from what `visible()` gave it."""
    begun = {
        str(path.relative_to(ROOT))
        for path in PRODUCTION
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] in {"sqlalchemy", "sqlmodel"}
        and {alias.name for alias in node.names} & {"select", "update", "delete", "text"}
    }
    elsewhere = {path for path in begun if not path.startswith(BULK)}

    assert elsewhere == {"db/scope.py", "db/relations.py", "db/tables/conversation.py"}
    # The tables' `text` is an index expression.
    assert "import BigInteger, Computed, Index, SmallInteger, text" in (ROOT / "db/tables/conversation.py").read_text()


def test_relations_select_only_from_what_is_visible() -> None:
    module = tree(ROOT / "db/relations.py")
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    tables = {f"t.{alias}" for alias in ("Conversation", "Booking", "Message", "Host", "Client")}

    for call in calls:
        if call.func.id == "select":  # type: ignore[attr-defined]
            assert not any(table in ast.unparse(call) for table in tables)
            assert "self.target" not in ast.unparse(call)
    assert sum(call.func.id == "visible" for call in calls) == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", SOURCES, ids=ids(SOURCES))
def test_a_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    limit = 450 if name(path).startswith("tests") else 400
    lines = path.read_text(encoding="utf-8").splitlines()

    assert ast.get_docstring(tree(path)), "no docstring"
    assert len(lines) <= limit


@pytest.mark.parametrize("path", PRODUCTION, ids=ids(PRODUCTION))
def test_functions_are_short(path: Path) -> None:
    long = {
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= 40
        # A migration is one list of changes.
        and "migrations/versions" not in str(path)
    }

    assert long == set()


def test_the_rooms_stay_small_enough_to_walk() -> None:
    rooms = {room for room in (ROOT / "tests").iterdir() if [*room.glob("test_*.py")]}

    assert len([*(ROOT / "gql").glob("*.py")]) <= 11
    assert len([*(ROOT / "tests").glob("*.py")]) <= 3
    assert {room.name for room in rooms} == TEST_ROOMS
    assert {room.name: count for room in rooms if (count := len([*room.glob("test_*.py")])) > 14} == {}


def test_conftest_has_fixtures_and_hooks_only() -> None:
    others = {
        node.name
        for node in tree(ROOT / "tests/conftest.py").body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("pytest_")
        and not any("pytest.fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
    }

    assert others == set()


def test_no_two_public_classes_have_one_name() -> None:
    places: dict[str, list[str]] = {}
    for path in PRODUCTION:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    # A record has a class for its table, its GraphQL type, and its form in an export. Each carries the record's name:
    # the schema and global ids are made from them.
    records = ("db/tables/", "gql/types/", "db/bookingsync/wire.py")
    repeated = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert {
        name: paths
        for name, paths in repeated.items()
        if not all(path.startswith(records) for path in paths)
        or len({path.rpartition("/")[0] for path in paths}) < len(paths)
    } == {}


def test_exceptions_are_named_errors_and_few() -> None:
    bases = {"Exception", "BaseException", "RuntimeError", "ValueError", "GraphQLError", "LookupError", "TypeError"}
    names = {
        node.name
        for path in PRODUCTION
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and (base.id in bases or base.id.endswith("Error")) for base in node.bases)
    }
    assert {name for name in names if not name.endswith("Error")} == set()
    # A class of its own is for an error that somebody catches apart, or that an answer distinguishes.
    assert "ClientError" in names
    assert len(names) <= 20


def test_modules_have_names_of_the_field() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "base_service"}

    assert {path.stem for path in SOURCES} & empty == set()


def test_types_name_each_other_without_lazy_strings() -> None:
    lazy = [str(path) for path in PRODUCTION if "strawberry.lazy" in path.read_text(encoding="utf-8")]

    assert lazy == []


def test_tables_declare_no_relationships() -> None:
    called = {
        ast.unparse(node.func)
        for path in (ROOT / "db/tables").glob("*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
    }

    assert {call for call in called if "relationship" in call.lower()} == set()


def test_only_the_settings_and_programs_that_are_started_get_the_environment() -> None:
    readers = {
        name(path)
        for path in PRODUCTION
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }

    # The settings read it; the embedded server and `inbox serve` pass it to the programs that they start.
    assert readers <= {"db.embedded", "gql.cli.serving", "gql.settings"}


def test_the_visible_top_level_is_what_the_design_says() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    command = [git, "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603  # git's own path

    top = {file.split("/")[0] for file in listed.splitlines()}
    assert {entry for entry in top if not entry.startswith(".")} <= VISIBLE


IMPORT_ALL = """
import builtins, importlib, os, socket, sqlite3, subprocess, sys, threading
import asyncio, asyncpg, sqlmodel, strawberry, starlette.applications, structlog, uvicorn, typer, alembic.command

def refuse(*_arguments, **_named):
    raise SystemExit("something happened at import")

socket.socket.connect = socket.socket.bind = refuse
subprocess.Popen.__init__ = threading.Thread.start = asyncio.run = refuse
for module in sys.argv[1:]:
    importlib.import_module(module)
assert threading.active_count() == 1
print("done")
"""


def test_nothing_happens_at_import(tmp_path: Path) -> None:
    modules = [name(path) for path in PRODUCTION if "migrations" not in name(path) and "__main__" not in name(path)]
    poisoned = {"DATABASE_URL": "garbage", "INBOX_JWT_SECRET": "short", "INBOX_POOL_SIZE": "none", "INBOX_DATA": "\t"}

    done = subprocess.run(  # noqa: S603  # this very Python
        [sys.executable, "-c", IMPORT_ALL, *modules],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **poisoned},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)
    assert list(tmp_path.iterdir()) == []
