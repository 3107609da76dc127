"""Rate limits in Redis: shared by several processes, and what happens if Redis is down, slow or misconfigured."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import limits
import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from gql.security.rate import RateLimiter
from gql.settings import ConfigurationError, Settings, explain
from tests.support.client import Client, Statements
from tests.support.request import refusal
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

BUDGET = "{ rateLimit { limit remaining cost } }"
# An application of the seed.
APPLICATION = "application:1"
FORTY = "{ conversations(first: 40) { nodes { id } } }"


@asynccontextmanager
async def sharing(dsn: str, url: str) -> AsyncIterator[Client]:
    """An application with a limit of 100 nodes a minute, counted in the Redis at `url`."""
    async with serving(dsn, Statements(), rate_limit=100, rate_limit_url=SecretStr(url)) as client:
        yield client


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The URL of a new Redis."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server")
    place = tmp_path / "redis"
    options = ["--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([program, *options], cwd=tmp_path, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        _wait_for(place)
        yield f"redis+unix://{place}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(place: Path) -> None:
    started = time.monotonic()
    while time.monotonic() < started + 10:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(place))
            return
        time.sleep(0.01)
    raise TimeoutError


async def test_processes_share_the_budgets_in_redis(seeded_dsn: str, redis: str) -> None:
    async with sharing(seeded_dsn, redis) as one, sharing(seeded_dsn, redis) as other:
        assert await one.data(BUDGET) == {"rateLimit": {"limit": 100, "remaining": 99, "cost": 1}}
        await one.data(FORTY)
        await other.data(FORTY)

        refused = [await client.post(FORTY) for client in (one, other)]

        for response in refused:
            assert response.status_code == 429
            assert response.json() == refusal("The rate limit is exceeded: try again later", "RATE_LIMITED")
            assert 60 < int(response.headers["retry-after"]) <= 76
            assert response.headers["ratelimit-remaining"] == "19"
        assert (await other.data(BUDGET))["rateLimit"]["remaining"] == 18
        assert (await one.as_(1, APPLICATION).data(BUDGET))["rateLimit"]["remaining"] == 99


async def test_simultaneous_operations_in_several_processes_are_charged_together(
    seeded_dsn: str, redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With a long timeout, so that a busy machine does not disable the limit.
    monkeypatch.setattr("gql.security.counting._PATIENCE", 10.0)
    async with sharing(seeded_dsn, redis) as one, sharing(seeded_dsn, redis) as other:
        for client in (one, other):
            await client.data("{ __typename }")

        document = "{ conversations(first: 9) { nodes { id } } }"
        documents = [client.post(document) for client in (one, other) for _ in range(15)]
        responses = await asyncio.gather(*documents)

    # 98 are left: ten times nine.
    assert sorted(response.status_code for response in responses) == [200] * 10 + [429] * 20


async def test_without_its_redis_a_server_answers_and_logs_a_warning_now_and_then(
    seeded_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gql.security.counting._PAUSE", 600.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"redis://somebody:password@127.0.0.1:{taken.getsockname()[1]}/0"
    with capture_logs() as logs:
        async with sharing(seeded_dsn, closed) as client:
            responses = [await client.post(FORTY) for _ in range(5)]
            budget = await client.data(BUDGET)

    assert [response.status_code for response in responses] == [200] * 5
    assert budget == {"rateLimit": {"limit": 100, "remaining": 100, "cost": 1}}
    warnings = [log for log in logs if log["event"] != "request"]
    assert warnings == [{"event": "rate limits are not kept", "log_level": "warning", "error": warnings[0]["error"]}]
    assert "password" not in str(logs)


async def test_a_redis_that_recovers_is_used_again(seeded_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with sharing(seeded_dsn, "redis://127.0.0.1:1") as client:
        await client.data(FORTY)
        with capture_logs() as logs:
            await client.data(FORTY)
            passed = time.monotonic() + 6
            monkeypatch.setattr(time, "monotonic", lambda: passed)
            await client.data(FORTY)

    assert [log["event"] for log in logs] == ["request", "rate limits are not kept", "request"]


async def test_a_redis_that_does_not_answer_is_not_waited_for(seeded_dsn: str) -> None:
    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(read, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    try:
        async with sharing(seeded_dsn, f"redis://127.0.0.1:{port}") as client:
            await client.data("{ __typename }")
            started = time.monotonic()
            for _ in range(5):
                await client.data(FORTY)
            took = time.monotonic() - started
    finally:
        silent.close()

    assert took < 2


@pytest.mark.parametrize("url", ["memcached://127.0.0.1", "127.0.0.1:6379", "https://:secret@redis.example"])
def test_another_url_is_a_mistake_in_the_settings(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("INBOX_RATE_LIMIT_URL", url)

    with pytest.raises(ValidationError) as caught:
        Settings()

    assert explain(caught.value) == ["INBOX_RATE_LIMIT_URL: must start with redis://, rediss:// or redis+unix://"]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:port/0", "redis://[::1/0"])
def test_a_url_that_cannot_be_read_is_one_line(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RateLimiter(Settings(rate_limit_url=SecretStr(url)))

    assert str(caught.value).startswith("INBOX_RATE_LIMIT_URL is not a URL of Redis")
    assert "secret" not in str(caught.value)


def test_a_client_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any, **_named: Any) -> None:
        raise limits.errors.ConfigurationError("'redis' prerequisite not available")

    monkeypatch.setattr(limits.aio.storage.RedisStorage, "__init__", fail)

    with pytest.raises(ConfigurationError, match=r"install inbox-graphql\[redis\]$"):
        RateLimiter(Settings(rate_limit_url=SecretStr("redis://127.0.0.1")))
