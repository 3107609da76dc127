"""Nothing is sent to an address that is not public: each way to one ends before a connection is made."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohappyeyeballs
import pytest
from aiohttp import ClientError, ClientOSError, ClientSession
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gql.security.address import AddressRules
from gql.security.resolver import SystemResolver
from gql.webhooks.connection import is_refusal, open_session
from tests.support.delivering import Receiver, delivering, receiving, store_endpoint, until
from tests.support.replying import THERE
from tests.support.world import World

pytestmark = pytest.mark.anyio

NOT_PUBLIC = "The host has an address that is not public"
NO_TLS = "The URL must begin with https://"
PUBLIC = "93.184.215.14"


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses to which a connection was begun. None of them is really connected to."""
    begun: list[str] = []

    async def refuse(*_arguments: object, addr_infos: Any, **_named: object) -> socket.socket:
        begun.extend(info[4][0] for info in addr_infos)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(aiohappyeyeballs, "start_connection", refuse)
    return begun


def resolving(*answers: list[str]) -> Callable[[str], Awaitable[list[str]]]:
    """A resolver with another answer each time, and the last one for ever."""
    left = list(answers)

    async def resolve(_host: str) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


# The URL, the addresses of its host, and the reason of the refusal.
REFUSED = [
    *((f"https://{host}/", [], NOT_PUBLIC) for host in ("127.0.0.1", "2130706433", "0177.0.0.1", "0x7f000001")),
    *((f"https://{host}/", [], NOT_PUBLIC) for host in ("127.1", "[::ffff:127.0.0.1]", "[::1]", "169.254.169.254")),
    *((f"https://{host}/", [], NOT_PUBLIC) for host in ("0.0.0.0", "0", "100.64.0.1", "10.0.0.1", "[fe80::1]")),  # noqa: S104
    *(
        (f"https://{host}/", [], NOT_PUBLIC)
        for host in ("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fec0::1]", "224.0.0.1")
    ),
    *(("https://hooks.example/", [address], NOT_PUBLIC) for address in ("127.0.0.1", "10.0.0.1", "169.254.169.254")),
    *(("https://hooks.example/", [address], NOT_PUBLIC) for address in ("::1", "::ffff:10.0.0.1", "fd00:ec2::254")),
    *(("https://hooks.example/", [address], NOT_PUBLIC) for address in ("64:ff9b::a00:1", "192.88.99.1", "fe80::1%lo")),
    ("https://hooks.example/", [PUBLIC, "10.0.0.1"], NOT_PUBLIC),
    ("https://hooks.example/", ["10.0.0.1", PUBLIC], NOT_PUBLIC),
    ("https://localhost/", ["127.0.0.1"], NOT_PUBLIC),
    ("http://hooks.example/", [PUBLIC], NO_TLS),
    ("https://hooks.example:22/", [PUBLIC], "Port 22 is not allowed"),
]


@pytest.fixture
async def filled(shared: World) -> World:
    """An account without webhooks."""
    await shared.fill(1)
    await shared.connection.execute("DELETE FROM webhook_attempts; DELETE FROM webhook_deliveries")
    await shared.connection.execute("DELETE FROM webhook_endpoints")
    return shared


async def attempted(world: World, endpoints: int) -> dict[str, tuple[int | None, str | None]]:
    """Status and error of the first attempt for each URL, once each has one."""

    async def complete() -> list[Any]:
        rows = await world.connection.fetch(
            """SELECT e.url, a.status, a.error FROM webhook_attempts a
            JOIN webhook_deliveries d ON d.id = a.delivery_id JOIN webhook_endpoints e ON e.id = d.endpoint_id
            WHERE a.number = 1"""
        )
        return rows if len(rows) == endpoints else []

    return {row["url"]: (row["status"], row["error"]) for row in await until(complete)}


async def write(world: World) -> None:
    """Write a note."""
    await world.client.data(
        f'mutation {{ createMessage(input: {{conversationId: "{THERE}", content: "x", visibility: INTERNAL}}) '
        "{ userErrors { code } } }"
    )


async def test_each_way_to_an_address_that_is_not_public_is_refused(
    filled: World, shared_dsn: str, connects: list[str]
) -> None:
    asked: dict[str, tuple[list[str], str]] = {}
    for place, (url, addresses, reason) in enumerate(REFUSED):
        # Each name is another one, so that each has addresses of its own.
        asked[url.replace("hooks", f"hooks{place}")] = addresses, reason
    hosts = {url.split("/")[2]: addresses for url, (addresses, _) in asked.items()}

    async def resolve(host: str) -> list[str]:
        return hosts[host]

    for url in asked:
        await store_endpoint(filled.connection, url)
    async with delivering(shared_dsn, resolve=resolve, webhook_loopback=False):
        await write(filled)
        found = await attempted(filled, len(asked))

    assert found == {url: (None, reason) for url, (_, reason) in asked.items()}
    assert connects == []


async def test_a_public_address_is_the_one_that_is_connected_to(
    filled: World, shared_dsn: str, connects: list[str]
) -> None:
    url = "https://hooks.example:8443/x"
    await store_endpoint(filled.connection, url)
    # Another address the second time.
    resolve = resolving([PUBLIC], ["10.0.0.1"])
    async with delivering(shared_dsn, resolve=resolve, webhook_loopback=False):
        await write(filled)
        found = await attempted(filled, 1)
        query = "SELECT error FROM webhook_attempts WHERE number = 2"
        second = await until(lambda: filled.connection.fetchval(query))

    assert connects == [PUBLIC]
    assert found == {url: (None, "The connection failed: Connection refused")}
    assert second == NOT_PUBLIC


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on this machine, which must not get anything."""
    async with receiving() as receiver:
        yield receiver


async def test_an_address_is_checked_where_the_socket_is_made(receiver: Receiver) -> None:
    """If the addresses that were resolved are not checked, no socket is made all the same."""
    rules = AddressRules((range(1, 65_536),))
    async with open_session(rules, resolving([PUBLIC]), 5) as session:
        # As if the client connected elsewhere than it has resolved.
        session.connector._resolve_host = _to_this_machine(receiver.port)  # type: ignore[union-attr]  # noqa: SLF001
        with pytest.raises(ClientError) as raised:
            await session.post("http://hooks.example/")
    assert isinstance(raised.value, ClientOSError)
    assert raised.value.__cause__ is not None
    assert is_refusal(raised.value.__cause__)
    assert receiver.received == []


def _to_this_machine(port: int) -> Any:
    async def resolve(host: str, _port: int, **_named: object) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    return resolve


async def test_the_environment_has_no_effect_on_connections(
    filled: World, shared_dsn: str, receiver: Receiver, connects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, receiver.url)
    monkeypatch.setenv("NO_PROXY", "")
    await store_endpoint(filled.connection, "https://hooks.example/")
    async with delivering(shared_dsn, resolve=resolving([PUBLIC]), webhook_loopback=False):
        await write(filled)
        await attempted(filled, 1)

    assert set(connects) == {PUBLIC}
    assert receiver.received == []


async def test_a_certificate_must_be_valid_for_the_name(tmp_path: Path) -> None:
    """The name is verified, although the connection is made to an address."""
    server, client = certified(tmp_path, "hooks.example")
    listener = await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=server)
    port = listener.sockets[0].getsockname()[1]
    rules = AddressRules((range(1, 65_536),), loopback=True)
    async with open_session(rules, resolving(["127.0.0.1"]), 5, client) as session:
        assert await _status(session, f"https://hooks.example:{port}/") == 204
        with pytest.raises(ClientError, match="certificate"):
            await _status(session, f"https://other.example:{port}/")
    listener.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def _status(session: ClientSession, url: str) -> int:
    async with session.post(url) as response:
        return response.status


def certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server with a certificate for `name`, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=certificate.public_bytes(Encoding.PEM).decode())


async def test_the_system_resolves_names_in_threads() -> None:
    found = await SystemResolver()("localhost")

    assert found
    assert set(found) <= {"127.0.0.1", "::1"}
