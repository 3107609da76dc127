"""Host names as addresses: resolved by the system, without keeping the process from its end.

A name whose servers do not answer takes the system half a minute. Python waits that long for the threads of an executor
when the process ends, and so does the event loop for its own look-ups.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

from gql.security.address import literal

Resolve: TypeAlias = Callable[[str], Awaitable[list[str]]]

# Names that are resolved at once. A name whose servers do not answer occupies a thread for longer than its attempt.
_RESOLVING = 1_024


class SystemResolver:
    """The addresses of a name, from the system, each name in a thread for which nothing waits when the process ends."""

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


class NameResolver(AbstractResolver):
    """Resolves a host for aiohttp to all of its addresses."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses, in the form of aiohttp, whatever family is asked for."""
        del family
        return [_result(host, port, address) for address in await self.addresses(host)]

    async def addresses(self, host: str) -> list[str]:
        """All addresses of the host, each once."""
        return list(dict.fromkeys(await self._resolve(host)))

    async def close(self) -> None:
        """Nothing is open."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    found = literal(address)
    family = socket.AF_INET6 if found is not None and found.version == 6 else socket.AF_INET  # noqa: PLR2004
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)
