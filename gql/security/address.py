"""Which URLs and addresses the server connects to when an account chooses the URL.

An account could otherwise make the server send requests to hosts that only the server can reach: itself, others in its
network, or the metadata service of a cloud. A URL is checked when it is stored and before it is used, and each address
when the connection is made, because a name can resolve to another address each time. Nothing here resolves a name or
connects.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

# Of all that parsers of URLs accept, only what they all read in the same way: no user, no fragment, ASCII.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?)(:(?P<port>[0-9]{1,5}))?"
    r"([/?][!\"$-\[\]-~]*)?",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s")
_DEFAULT_PORTS = {"http": 80, "https": 443}

# Addresses for special purposes that Python 3.11 counts as global: relays from IPv6 to IPv4, protocol assignments and
# multicast. The addresses that a host on the internet can have in IPv6 all begin with the bits 001.
_SPECIAL_4 = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4")))
_UNICAST_6 = IPv6Network("2000::/3")
_SPECIAL_6 = tuple(map(ip_network, ("2001::/23", "2002::/16", "3fff::/20")))
# Python 3.13 counts IPv4 addresses that are written in IPv6 too.
_LOOPBACK = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))


@dataclass(frozen=True, slots=True)
class AddressRules:
    """The URLs and addresses that may be used. The methods return the reason of a refusal, or None.

    A reason is shown to the account, so it does not contain what a name resolves to.
    """

    ports: tuple[range, ...]
    loopback: bool = False
    """Whether this machine's own addresses are allowed too, on any port and without TLS: for development."""

    def refuse_url(self, url: str) -> str | None:
        """Check the form, the scheme, the port, and a host that is an address or this machine."""
        found = _URL.fullmatch(url)
        if found is None:
            return "The URL must have the form https://host/path, in ASCII, without a user and a fragment"
        scheme, host = found["scheme"].lower(), found["host"].strip("[]").lower()
        port = int(found["port"] or _DEFAULT_PORTS[scheme])
        is_local = _is_this_machine(host)
        if is_local and self.loopback:
            return None if 0 < port <= 65_535 else "The port must be a number from 1 to 65535"  # noqa: PLR2004
        if scheme != "https":
            return "The URL must begin with https://"
        if not any(port in allowed for allowed in self.ports):
            return f"Port {port} is not allowed"
        if ":" in host and literal(host) is None:
            return "The host is not an IPv6 address"
        return self.refuse_addresses([host]) if is_local or literal(host) else None

    def refuse_addresses(self, addresses: Iterable[str]) -> str | None:
        """Check all addresses that a host has. If one is refused, the host is, because any of them could be used."""
        if all(self._allows(address) for address in addresses):
            return None
        return "The host has an address that is not public"

    def _allows(self, text: str) -> bool:
        address = literal(text)
        if address is None:
            return False
        return is_public(address) or (self.loopback and _is_loopback(address))


def is_public(address: Address) -> bool:
    """Whether an address is one that a host on the internet can have."""
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _SPECIAL_4)
    return (
        address.is_global
        and address in _UNICAST_6
        and address.scope_id is None
        and not any(address in network for network in _SPECIAL_6)
    )


def _is_loopback(address: Address) -> bool:
    return any(address in network for network in _LOOPBACK)


def literal(host: str) -> Address | None:
    """The address that `host` is; None if it is a name.

    The system's resolver also reads IPv4 addresses that are written as one number, with fewer parts, or in octal and
    hexadecimal, so they are addresses here too.
    """
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        # The function ignores what follows white space, and a resolver does not.
        return None if _SPACE.search(host) else IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _is_this_machine(host: str) -> bool:
    name = host.removesuffix(".")
    address = literal(name)
    return name == "localhost" or name.endswith(".localhost") or (address is not None and _is_loopback(address))
