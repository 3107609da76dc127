"""Fixtures for all tests: one embedded PostgreSQL for the run, a new database for each test, and applications."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from db.embedded import embedded
from db.migrations.apply import migrate
from db.seed import seed
from gql.web.server import tune_collector
from tests.support.client import Client, Statements
from tests.support.database import NOW, database_dsn, drop, recording, run
from tests.support.factories import log_some_of_each, store_webhooks
from tests.support.postgresql import place, postgresql
from tests.support.serving import LiveServer, live, serving
from tests.support.world import World

_names = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that rewrite the files of `test_operations.py`, and that make other tests larger."""
    parser.addoption(
        "--update-operations", action="store_true", help="write the answers and statements of tests/operations anew"
    )
    parser.addoption("--messages", type=int, default=25, help="how many each writer of test_killed.py sends")
    parser.addoption(
        "--deliveries", type=int, default=30_000, help="how many pass through the tables in test_growth.py"
    )
    parser.addoption("--documents", type=int, help="how many documents test_execution.py draws")
    parser.addoption(
        "--postgresql", type=Path, help="the folder of another PostgreSQL's initdb and pg_ctl to test with"
    )
    parser.addoption("--conversations", type=int, default=50_000, help="how many test_finding.py has found some among")


def pytest_unconfigure() -> None:
    """If this process does not end soon after its last test, print where its threads wait, and end it."""
    faulthandler.dump_traceback_later(120, exit=True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of the server."""
    return "asyncio"


@pytest.fixture
def tuned_collector() -> Iterator[None]:
    """Tune the collector as in a server, which does not examine the objects of the process before the test."""
    thresholds = gc.get_threshold()
    tune_collector()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.fixture(scope="session")
def server_dsn(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    """The maintenance database of a server that writes nothing to a disk, because no data outlive the test run."""
    programs: Path | None = request.config.getoption("--postgresql")
    # Autovacuum would visit all databases again and again, and take a seventh of the server's time.
    settings = ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "autovacuum = off")
    with (
        tempfile.TemporaryDirectory(prefix="inbox-", dir=place(tmp_path_factory.mktemp("server"))) as folder,
        postgresql(programs) if programs else embedded(Path(folder)) as dsn,
    ):
        run(dsn, *(f"ALTER SYSTEM SET {setting}" for setting in settings), "SELECT pg_reload_conf()")
        yield dsn


@pytest.fixture(scope="session")
def template(server_dsn: str) -> str:
    """The name of a migrated, empty database to copy."""
    run(server_dsn, "CREATE DATABASE template_inbox")
    migrate(database_dsn(server_dsn, "template_inbox"))
    return "template_inbox"


@pytest.fixture(scope="session")
def create_database(server_dsn: str, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """A function that copies a database and returns the DSN of the copy."""
    # Faster than through the log, which is what newer versions do otherwise. PostgreSQL 14 has no other strategy.
    strategy = "" if request.config.getoption("--postgresql") else "STRATEGY file_copy"

    def create(template: str) -> str:
        name = f"inbox_{next(_names)}"
        run(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
        return database_dsn(server_dsn, name)

    return create


@pytest.fixture
def dsn(template: str, create_database: Callable[[str], str], server_dsn: str) -> Iterator[str]:
    """A new, migrated, empty database, which is dropped after the test."""
    dsn = create_database(template)
    yield dsn
    drop(server_dsn, dsn)


@pytest.fixture(scope="session")
def seeded_dsn(template: str, create_database: Callable[[str], str]) -> str:
    """A database with two accounts of 120 conversations each, and a few changes in its log. Tests only read it."""
    dsn = create_database(template)

    async def fill() -> None:
        connection = await asyncpg.connect(dsn)
        await seed(connection, accounts=2, conversations=120, seed=7, now=NOW)
        for account in (1, 2):
            await store_webhooks(connection, account)
            await log_some_of_each(connection, account)
        await connection.close()

    asyncio.run(fill())
    return dsn


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's database, for setup and checks."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
def statements() -> Iterator[Statements]:
    """All statements that the process runs during the test."""
    recorded = Statements()
    with recording(recorded):
        yield recorded


@pytest.fixture
async def client(dsn: str, statements: Statements) -> AsyncIterator[Client]:
    """A client of an application on the test's database."""
    async with serving(dsn, statements) as client:
        yield client


@pytest.fixture(scope="module")
def shared_dsn(template: str, create_database: Callable[[str], str], server_dsn: str) -> Iterator[str]:
    """A migrated database for all tests of a module, which is dropped after them."""
    dsn = create_database(template)
    yield dsn
    drop(server_dsn, dsn)


@pytest.fixture(scope="module")
async def shared(shared_dsn: str) -> AsyncIterator[World]:
    """An application on that database; each test adds its own data."""
    statements = Statements()
    connection = await asyncpg.connect(shared_dsn)
    try:
        with recording(statements):
            # Without a rate limit, because all tests of the module would share one budget.
            async with serving(shared_dsn, statements, rate_limit=0) as client:
                yield World(client, connection)
    finally:
        await connection.close()


@pytest.fixture
async def reader(seeded_dsn: str, statements: Statements) -> AsyncIterator[Client]:
    """A client of an application on the seeded database."""
    async with serving(seeded_dsn, statements) as client:
        yield client


@pytest.fixture
def live_server(seeded_dsn: str) -> Iterator[LiveServer]:
    """Uvicorn in a thread, on the seeded database, which tests only read."""
    with live(seeded_dsn) as server:
        yield server
