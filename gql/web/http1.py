"""HTTP/1.1 where uvicorn's parser is too lenient, or does not parse on.

| request | what happens |
|---|---|
| no `Host`, or several, or one that names no host | 400, and the connection is closed |
| `Transfer-Encoding` other than `chunked`, or in HTTP/1.0 | 400, and the connection is closed |
| `HTTP/2.0` or `HTTP/0.9`, or another protocol, as in `GET / RTSP/1.0` | 400, and the connection is closed |
| an absolute target (`GET http://host/path`) | its host replaces the header's (RFC 9112, 3.2.2) |
| `Upgrade` to another protocol than WebSocket | the header is ignored |

A proxy in front that chooses the server by one `Host` must not be followed by a server that uses another one.

`curl --http2` and Java's client send `Upgrade` with any request to an address without TLS. httptools leaves out the
body of such a request, and what follows: uvicorn would take the body for the next request.
"""

from __future__ import annotations

import re
import sys
from typing import NoReturn

import httptools
from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# RFC 9110, 7.2, and RFC 3986, 3.2: a name, an IPv4 address or a bracketed address, and a port.
_HOST = re.compile(rb"([\w.~!$&'()*+,;=%-]*|\[[\w.~!$&'()*+,;=%:-]+\])(:[0-9]*)?")


class StopParsingError(Exception):
    """Stops the parser in the middle of its input, after the request was rejected."""


class Http1Protocol(HttpToolsProtocol):
    """Uvicorn's protocol, which checks `Host`, and parses a request with an ignored `Upgrade` again, without it."""

    _data = b""
    _put_off = False

    def data_received(self, data: bytes) -> None:
        """Parse the data."""
        self._data = data
        super().data_received(data)
        self._data = b""

    def on_headers_complete(self) -> None:
        """Start or queue the request, unless it is invalid or parsed again."""
        self._put_off = self.parser.should_upgrade() and not self._should_upgrade() and b"upgrade" in dict(self.headers)
        if not self._put_off:
            self._check_version()
            self._check_host()
            self._check_coding()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The last byte of a request, or of the head of one that is parsed again."""
        if not self._put_off:
            super().on_message_complete()

    def _check_version(self) -> None:
        version = self.parser.get_http_version()
        if version == "1.1":
            return
        # The parser accepts two other protocols, and does not say which one it has found.
        begin = b"%b %b " % (self.parser.get_method(), self.url)
        if version != "1.0" or any(begin + name in self._data for name in (b"RTSP/", b"ICE/")):
            self._refuse("The version is not HTTP/1.1 or HTTP/1.0")

    def _check_host(self) -> None:
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1:
            self._refuse("A request has one Host header")
        if not hosts and self.parser.get_http_version() != "1.0":
            self._refuse("A request of HTTP/1.1 has a Host header")
        if hosts and _HOST.fullmatch(hosts[0]) is None:
            self._refuse("The Host header names no host")
        if not self.url.startswith(b"/"):
            self._read_absolute_target()

    def _check_coding(self) -> None:
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings and (codings != [b"chunked"] or self.parser.get_http_version() == "1.0"):
            # Another coding is not undone here. A proxy may ignore chunks of HTTP/1.0, which has none.
            self._refuse("A body is sent in chunks without other codings, by HTTP/1.1")

    def _read_absolute_target(self) -> None:
        target = httptools.parse_url(self.url)
        if target.host is None:
            # It is `*`.
            return
        if target.userinfo is not None:
            self._refuse("The target names a user")
        host = b"[%b]" % target.host if b":" in target.host else target.host
        if target.port is not None:
            host += b":%d" % target.port
        # In place: the request's scope has the list.
        self.headers[:] = [(b"host", host), *(header for header in self.headers if header[0] != b"host")]
        self.url = (target.path or b"/") + (b"?" + target.query if target.query else b"")

    def _refuse(self, message: str) -> NoReturn:
        self.send_400_response(message)
        raise StopParsingError

    def _unsupported_upgrade_warning(self) -> None:
        if not self._put_off:
            # It is the method CONNECT, which the application answers like any other.
            return
        upgrade = sys.exception()
        assert isinstance(upgrade, HttpParserUpgrade)  # noqa: S101  # uvicorn calls this when it has caught one
        line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        headers = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self._data = b"\r\n".join([line, *headers, b"", self._data[upgrade.args[0] :]])
        self.parser = HttpRequestParser(self)
        # As uvicorn does.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        super().data_received(self._data)
