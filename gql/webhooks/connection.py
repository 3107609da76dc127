"""Connections to the endpoints of webhooks, only to addresses that `AddressRules` allow.

A name is resolved once for a connection. If one of its addresses is refused, none is used. The address is checked again
where the socket is made, so whatever resolved it, no connection leads to another one. TLS verifies the certificate for
the host name as always.
"""

from __future__ import annotations

import socket
import ssl

from aiohttp import AddrInfoType, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from gql.security.address import AddressRules
from gql.security.resolver import NameResolver, Resolve

# Seconds that an unused connection is kept: less than common servers keep it, so that no request meets its end.
_KEPT = 4.0


class CheckingResolver(NameResolver):
    """Resolves a host to its addresses if all of them are allowed. Raises PermissionError otherwise."""

    def __init__(self, rules: AddressRules, resolve: Resolve) -> None:
        super().__init__(resolve)
        self._rules = rules

    async def addresses(self, host: str) -> list[str]:
        """All addresses of the host, each once."""
        addresses = await super().addresses(host)
        if reason := self._rules.refuse_addresses(addresses):
            raise PermissionError(reason)
        return addresses


def is_refusal(error: BaseException) -> bool:
    """Whether an address was refused here. The message is for the account. Errors of the system have a number."""
    return isinstance(error, PermissionError) and error.errno is None


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
