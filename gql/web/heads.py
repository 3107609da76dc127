"""Requests whose head the parser has accepted before: a client sends the same one with each request.

A head is the request line and the headers. If a read begins with a kept head, and has nothing after its body, the
request is started without the parser: the same bytes say the same. That saves a sixth of the CPU time of
`{ __typename }`. The rest of the body may follow in other reads. Everything else is parsed, so the parser never sees a
part of a request.

Neither heads nor values of headers stay in memory, because tokens are among them: a head is found by a keyed hash of
its bytes, and the values are cut out of the new bytes. A head is kept when it is seen for the second time, so those
that differ in each request, for example by the id of a trace, replace no others.
"""

from __future__ import annotations

import secrets
from asyncio import Event
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from db.cache import Cache
from gql.web.http1 import Http1Protocol

# The key of an ASGI scope under which an application finds the `Facts` of a kept head.
FACTS = "inbox.facts"

_LINE = b"\r\n"
_END = b"\r\n\r\n"
# The kept heads: the most of them, their bytes of memory, and the bytes of each as it was sent.
_KEPT_HEADS = 1_000
_KEPT_BYTES = 4_194_304
_LONGEST_KEPT = 4_096
# The hashes of heads that were seen once. Beyond that, all of them are forgotten.
_MOST_SEEN = 4_096
# Upper bounds of the bytes of memory of a kept head besides its text, and of each of its headers.
_HEAD_BYTES = 2_000
_HEADER_BYTES = 250
# With these headers the body has another form, or something must be sent before it.
_SPECIAL = {b"transfer-encoding", b"expect", b"upgrade"}
# What a head says in an ASGI scope, besides its headers.
_SAID = ("type", "asgi", "http_version", "root_path", "method", "path", "raw_path", "query_string")


@dataclass(slots=True)
class Facts:
    """What the application has concluded from a head. None of it may depend on anything else."""

    acceptable: Any = None
    """The forms of the response that the client accepts."""
    token: bytes | None = None
    """The digest of the token. Whether the token is still valid is checked with each request."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a head says."""

    length: int
    """Bytes of the head."""
    size: int
    """Bytes of the head and the body."""
    scope: Scope
    """The part of the ASGI scope that the head determines, without the headers."""
    headers: Sequence[tuple[bytes, int, int]]
    """Names in lower case, and where in the head the values begin and end."""
    facts: Facts = field(default_factory=Facts)


class Heads:
    """The kept heads of a process."""

    def __init__(self, most: int = _KEPT_HEADS) -> None:
        self._kept: Cache[bytes, Head] = Cache(most, _KEPT_BYTES)
        self._seen: set[bytes] = set()
        self._secret = secrets.token_bytes()

    def __len__(self) -> int:
        return len(self._kept)

    def key_of(self, data: bytes) -> bytes | None:
        """The key of the head that `data` begins with; None if it is too long, or of another method than POST."""
        end = data.find(_END, 0, _LONGEST_KEPT)
        if end < 0 or not data.startswith(b"POST "):
            return None
        return blake2b(data[: end + len(_END)], key=self._secret, digest_size=16).digest()

    def find(self, key: bytes) -> Head | None:
        """The kept head with this key."""
        return self._kept.find(key)

    def is_repeated(self, key: bytes) -> bool:
        """Whether the head was seen before."""
        if key in self._seen:
            return True
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen.add(key)
        return False

    def keep(self, key: bytes, head: Head) -> None:
        """Keep a head."""
        self._kept.keep(key, head, _HEAD_BYTES + 2 * head.length + _HEADER_BYTES * len(head.headers))


def read_head(data: bytes, scope: Scope, body: bytes) -> Head | None:
    """The head of a request, from `data` and from what was parsed, with as much of the body as has arrived.

    None if the two do not say the same, or if something besides the head and the length of the body matters.
    """
    end = data.find(_END)
    first, *lines = data[:end].split(_LINE)
    parsed = scope["headers"]
    if first != b"POST %b HTTP/1.1" % scope["raw_path"] or len(lines) != len(parsed):
        return None
    headers, start = [], len(first) + len(_LINE)
    for line, (name, value) in zip(lines, parsed, strict=True):
        written, _, rest = line.partition(b":")
        if written.lower() != name or rest.lstrip(b" \t") != value or name in _SPECIAL:
            return None
        begins = start + line.index(value, len(written) + 1)
        headers.append((name, begins, begins + len(value)))
        start += len(line) + len(_LINE)
    length = end + len(_END)
    sizes = [value for name, value in parsed if name == b"content-length"]
    if len(sizes) != 1 or not sizes[0].isdigit() or data[length:] != body:
        return None
    return Head(length, length + int(sizes[0]), {name: scope[name] for name in _SAID}, headers)


class RepeatedHeadProtocol(Http1Protocol):
    """Starts requests with kept heads."""

    def __init__(self, *arguments: Any, heads: Heads, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._heads = heads
        self._key: bytes | None = None
        self._missing = 0
        """Bytes of the body of a request with a kept head that have not arrived."""

    def data_received(self, data: bytes) -> None:
        """Take the rest of such a body, and parse what follows."""
        if self._missing:
            self._unset_keepalive_if_required()
            body, data = data[: self._missing], data[self._missing :]
            self._missing -= len(body)
            self.on_body(body)
            if self._missing == 0:
                self.on_message_complete()
            if not data:
                return
        super().data_received(data)

    def _start_repeated(self, data: bytes, extensions: Scope) -> bool:
        """Start the request that `data` begins, if its head is kept. No other one may be under way.

        `extensions` are added to its scope.
        """
        self._key = self._heads.key_of(data)
        head = None if self._key is None else self._heads.find(self._key)
        if head is None or len(data) > head.size:
            return False
        self._missing = head.size - len(data)
        self._unset_keepalive_if_required()
        scope = {
            **head.scope,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "headers": [(name, data[begins:ends]) for name, begins, ends in head.headers],
            "state": self.app_state.copy(),
            FACTS: head.facts,
            **extensions,
        }
        arrived = Event()
        arrived.set()
        self.cycle = RequestResponseCycle(
            scope=scope,  # type: ignore[arg-type]  # as uvicorn's
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=arrived,
            expect_100_continue=False,
            keep_alive=True,
            on_response=self.on_response_complete,
        )
        self.cycle.body += data[head.length :]
        self.cycle.more_body = self._missing > 0
        self._start_asgi_task(self.cycle, self.app)
        return True

    def _keep_head(self, data: bytes) -> None:
        """Keep the head of the request that was parsed from `data`, if it is complete and was seen before."""
        cycle = self.cycle
        if self._key is None or not self._heads.is_repeated(self._key) or not cycle.keep_alive:
            return
        head = read_head(data, dict(cycle.scope), bytes(cycle.body))
        if head is not None:
            self._heads.keep(self._key, head)
