"""A receiver of webhooks as a program: `python -m tests.support.receiver PORT FILE`.

It appends a line for each request to the file before it answers: the path, the `webhook-id` and the payload.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import orjson


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the status 204, on connections that stay open."""

    protocol_version = "HTTP/1.1"
    file: BinaryIO

    def do_POST(self) -> None:  # the base class calls it so
        """Append a line, and answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        line = {"path": self.path, "id": self.headers["webhook-id"], "payload": orjson.loads(body)}
        # One write, so that lines of threads do not mix.
        self.file.write(orjson.dumps(line) + b"\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """Accepts as many connections at once as a worker makes."""

    request_queue_size = 512


def main(port: str, file: str) -> None:
    """Serve until killed."""
    with Path(file).open("ab", buffering=0) as opened:
        Handler.file = opened
        Server(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
