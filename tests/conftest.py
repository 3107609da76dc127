"""What tests share: an embedded PostgreSQL for the run, a fresh database a test, and applications over them."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import uvicorn

from db.embedded import embedded
from db.migrations.apply import migrate
from db.seed import seed
from gql.app import create_app
from gql.web.server import tune_collector
from tests.support.client import Client, Statements, make_settings
from tests.support.factories import log_some_of_each
from tests.support.postgresql import postgresql
from tests.support.world import World

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)

_names = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that rewrite what `test_operations.py` compares with, and that have other tests go further."""
    parser.addoption(
        "--update-operations", action="store_true", help="write the answers and statements of tests/operations anew"
    )
    parser.addoption("--documents", type=int, help="how many documents test_execution.py draws")
    parser.addoption(
        "--postgresql", type=Path, help="the folder of another PostgreSQL's initdb and pg_ctl to test with"
    )
    parser.addoption("--conversations", type=int, default=50_000, help="how many test_finding.py has found some among")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """What the server runs on."""
    return "asyncio"


@pytest.fixture
def tuned_collector() -> Iterator[None]:
    """Garbage is looked for as in a server: never among what the process had before, which is the whole test run."""
    thresholds = gc.get_threshold()
    tune_collector()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.fixture(scope="session")
def server_dsn(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    """The maintenance database of a server that forgets on a crash, as nothing here outlives the run."""
    programs: Path | None = request.config.getoption("--postgresql")
    with postgresql(programs) if programs else embedded(tmp_path_factory.mktemp("server")) as dsn:
        run(dsn, "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
        yield dsn


@pytest.fixture(scope="session")
def template(server_dsn: str) -> str:
    """The name of a migrated, empty database to copy."""
    run(server_dsn, "CREATE DATABASE template_inbox")
    migrate(database_dsn(server_dsn, "template_inbox"))
    return "template_inbox"


@pytest.fixture(scope="session")
def create_database(server_dsn: str) -> Callable[[str], str]:
    """Makes a copy of a database and returns its DSN."""

    def create(template: str) -> str:
        name = f"inbox_{next(_names)}"
        run(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template}")
        return database_dsn(server_dsn, name)

    return create


@pytest.fixture
def dsn(template: str, create_database: Callable[[str], str]) -> str:
    """A fresh, migrated, empty database."""
    return create_database(template)


@pytest.fixture(scope="session")
def seeded_dsn(template: str, create_database: Callable[[str], str]) -> str:
    """A database with two accounts of 120 conversations each, and a few changes in its log. Tests only read it."""
    dsn = create_database(template)

    async def fill() -> None:
        connection = await asyncpg.connect(dsn)
        await seed(connection, accounts=2, conversations=120, seed=7, now=NOW)
        for account in (1, 2):
            await log_some_of_each(connection, account)
        await connection.close()

    asyncio.run(fill())
    return dsn


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's database, to arrange and to check."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
def statements() -> Iterator[Statements]:
    """Every statement that the process runs while the test does."""
    recorded = Statements()
    with recording(recorded):
        yield recorded


@pytest.fixture
async def client(dsn: str, statements: Statements) -> AsyncIterator[Client]:
    """A client of an application over the test's database."""
    async with serving(dsn, statements) as client:
        yield client


@pytest.fixture(scope="module")
def shared_dsn(template: str, create_database: Callable[[str], str]) -> str:
    """A migrated database that the tests of a module use one after the other."""
    return create_database(template)


@pytest.fixture(scope="module")
async def shared(shared_dsn: str) -> AsyncIterator[World]:
    """An application over that database, which each test fills for itself."""
    statements = Statements()
    connection = await asyncpg.connect(shared_dsn)
    try:
        with recording(statements):
            # All tests of the module would share one budget.
            async with serving(shared_dsn, statements, rate_limit=0) as client:
                yield World(client, connection)
    finally:
        await connection.close()


@pytest.fixture
async def reader(seeded_dsn: str, statements: Statements) -> AsyncIterator[Client]:
    """A client of an application over the seeded database."""
    async with serving(seeded_dsn, statements) as client:
        yield client


class Transport(httpx.ASGITransport):
    """Answers after asyncpg has reported the statements of a request, which it does in the loop's next iteration."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The application's response."""
        response = await super().handle_async_request(request)
        await asyncio.sleep(0)
        return response


@asynccontextmanager
async def serving(dsn: str, statements: Statements, **overrides: Any) -> AsyncIterator[Client]:
    """A client of an application in this process."""
    settings = make_settings(dsn, **overrides)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = Transport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox") as http:
            yield Client(http, settings, statements)


@dataclass(frozen=True)
class LiveServer:
    """A real server on a port of this machine, with GraphiQL."""

    url: str
    token: str


@pytest.fixture
def live_server(seeded_dsn: str) -> Iterator[LiveServer]:
    """Uvicorn in a thread, over the seeded database, which tests only read."""
    with live(seeded_dsn) as server:
        yield server


@contextmanager
def live(dsn: str) -> Iterator[LiveServer]:
    """Uvicorn in a thread, with GraphiQL."""
    settings = make_settings(dsn, graphiql=True)
    token = Client(httpx.AsyncClient(), settings, Statements()).token
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(settings, token=token), log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield LiveServer(f"http://127.0.0.1:{listener.getsockname()[1]}", token)
    finally:
        server.should_exit = True
        thread.join()


def database_dsn(dsn: str, name: str) -> str:
    """`dsn` with another database."""
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


def run(dsn: str, *statements: str) -> None:
    """Execute statements on a connection of their own."""

    async def execute() -> None:
        connection = await asyncpg.connect(dsn)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(execute())


@contextmanager
def recording(statements: Statements) -> Iterator[None]:
    """Record every statement, as asyncpg's query loggers report it."""
    make = asyncpg.connection.Connection.__init__

    def make_and_listen(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.add_query_logger(lambda record: statements.add(record.query))

    asyncpg.connection.Connection.__init__ = make_and_listen
    try:
        yield
    finally:
        asyncpg.connection.Connection.__init__ = make
