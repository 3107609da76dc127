"""Connections to the endpoints of webhooks, only to addresses that `AddressRules` allow.

A name is resolved once for a connection. If one of its addresses is refused, none is used. The address is checked again
where the socket is made, so whatever resolved it, no connection leads to another one. TLS verifies the certificate for
the host name as always.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, TypeAlias

from aiohttp import AddrInfoType, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from gql.security.address import AddressRules, literal

Resolve: TypeAlias = Callable[[str], Awaitable[list[str]]]

# Names that are resolved at once. A name whose servers do not answer occupies a thread for longer than its attempt.
_RESOLVING = 1_024
# Seconds that an unused connection is kept: less than common servers keep it, so that no request meets its end.
_KEPT = 4.0


class SystemResolver:
    """The addresses of a name, from the system, each name in a thread of its own.

    Python does not wait for these threads when the process ends: a name whose servers do not answer would keep it for
    half a minute. The threads of an executor are waited for.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_RESOLVING)

    async def __call__(self, host: str) -> list[str]:
        """All addresses. Raises OSError."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

        def finish(store: Callable[[Any], None], result: Any) -> None:
            self._free.release()
            # The request may have been cancelled meanwhile.
            if not found.done():
                store(result)

        def look_up() -> None:
            try:
                finished = partial(finish, found.set_result, _look_up(host))
            except Exception as error:  # noqa: BLE001  # the caller gets it
                finished = partial(finish, found.set_exception, error)
            # The loop is closed if the process is ending.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(finished)

        await self._free.acquire()
        try:
            Thread(target=look_up, name="resolve", daemon=True).start()
        except RuntimeError as error:
            self._free.release()
            # As if there were no memory for a socket: the endpoint is not to blame.
            raise OSError(errno.ENOMEM, "no thread can be started") from error
        return [str(address[0]) for *_, address in await found]


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
