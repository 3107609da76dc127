"""Connections to the endpoints of webhooks, only to addresses that `AddressRules` allow.

A name is resolved once for a connection. If one of its addresses is refused, none is used. The address is checked again
where the socket is made, so whatever resolved it, no connection leads to another one. TLS verifies the certificate for
the host name as always.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from aiohttp import AddrInfoType, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from gql.security.address import AddressRules, literal

Resolve: TypeAlias = Callable[[str], Awaitable[list[str]]]

# Names that are resolved at once. A name whose servers do not answer occupies a thread for longer than its attempt.
# Another thread is started only when all others are busy.
_RESOLVING = 1_024
# Seconds that an unused connection is kept: less than common servers keep it, so that no request meets its end.
_KEPT = 4.0


class SystemResolver:
    """The addresses of a name, from the system, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_RESOLVING, thread_name_prefix="resolve")

    async def __call__(self, host: str) -> list[str]:
        """All addresses. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host)
        return [str(address[0]) for *_, address in found]

    def close(self) -> None:
        """End the threads, without waiting for those that resolve."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG))


class CheckingResolver(AbstractResolver):
    """Resolves a host to its addresses if all of them are allowed. Raises PermissionError otherwise."""

    def __init__(self, rules: AddressRules, resolve: Resolve) -> None:
        self._rules = rules
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses, in the form of aiohttp, whatever family is asked for."""
        del family
        addresses = list(dict.fromkeys(await self._resolve(host)))
        if reason := self._rules.refuse_addresses(addresses):
            raise PermissionError(reason)
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        """Nothing is open."""


def is_refusal(error: BaseException) -> bool:
    """Whether an address was refused here. The message is for the account. Errors of the system have a number."""
    return isinstance(error, PermissionError) and error.errno is None


def _result(host: str, port: int, address: str) -> ResolveResult:
    found = literal(address)
    family = socket.AF_INET6 if found is not None and found.version == 6 else socket.AF_INET  # noqa: PLR2004
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


def open_session(
    rules: AddressRules, resolve: Resolve, timeout: float, context: ssl.SSLContext | None = None
) -> ClientSession:
    """A session without cookies, proxies and decompression, whose requests have `timeout` seconds in all."""

    def make_socket(info: AddrInfoType) -> socket.socket:
        family, type_, protocol, _, address = info
        if reason := rules.refuse_addresses([str(address[0])]):
            raise PermissionError(reason)
        return socket.socket(family, type_, protocol)

    connector = TCPConnector(
        limit=0,
        keepalive_timeout=_KEPT,
        resolver=CheckingResolver(rules, resolve),
        # A connection uses the addresses that were resolved for it.
        use_dns_cache=False,
        socket_factory=make_socket,
        ssl=context or True,
    )
    return ClientSession(
        connector=connector,
        timeout=ClientTimeout(total=timeout),
        cookie_jar=DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    )
