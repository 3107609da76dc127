"""HTTP/1.1 without upgrades to other protocols than WebSocket: their header `Upgrade` is ignored.

`curl --http2` and Java's client send it with any request to an address without TLS. httptools leaves out the body of
such a request, and what follows: uvicorn would take the body for the next request.
"""

from __future__ import annotations

import sys

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Http1Protocol(HttpToolsProtocol):
    """Uvicorn's protocol, which parses a request with an ignored header `Upgrade` again, without it."""

    _data = b""
    _put_off = False

    def data_received(self, data: bytes) -> None:
        """Parse the data."""
        self._data = data
        super().data_received(data)
        self._data = b""

    def on_headers_complete(self) -> None:
        """Start or queue the request, unless it is parsed again."""
        self._put_off = self.parser.should_upgrade() and not self._should_upgrade() and b"upgrade" in dict(self.headers)
        if not self._put_off:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The last byte of a request, or of the head of one that is parsed again."""
        if not self._put_off:
            super().on_message_complete()

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
