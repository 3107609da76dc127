"""The codes with which a WebSocket of `graphql-transport-ws` is closed.

| code | when a socket is closed with it |
|---|---|
| 1002, 1007, 1009 | a frame is not one of the protocol, text is not UTF-8, a message is too large |
| 1012 | the server stops: connect again |
| 1013 | a principal has too many sockets, or no time left for a long message, or the database is away: connect later |
| 4400 | a message is not one of the protocol, or there are two different tokens |
| 4401 | an operation comes before `connection_ack` |
| 4403 | the token is missing, not valid, or has expired |
| 4406 | the client does not offer the subprotocol |
| 4408 | `connection_init` did not come within `INBOX_SOCKET_INIT_SECONDS` |
| 4409 | there is an operation with this id |
| 4429 | `connection_init` came twice |
| 4500 | a defect, which is in the log |
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from starlette.types import Message

# Bytes of a close's reason, by the protocol.
_MAX_REASON = 123


class Close(IntEnum):
    """Why a socket is closed."""

    GONE = 0
    """The client has closed it, or cannot be reached."""
    PROTOCOL_ERROR = 1002
    NOT_UTF8 = 1007
    TOO_LARGE = 1009
    RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL = 4406
    NO_INIT = 4408
    DUPLICATE_ID = 4409
    SECOND_INIT = 4429
    INTERNAL_ERROR = 4500


# Those with which the socket is closed already when the session learns of it.
CLOSED = {Close.GONE, Close.PROTOCOL_ERROR, Close.NOT_UTF8, Close.TOO_LARGE}

# The protocol's own words where it has any: clients show them.
_REASONS: Mapping[Close, str] = {
    Close.RESTART: "The server restarts",
    Close.TRY_AGAIN_LATER: "Try again later",
    Close.BAD_REQUEST: "Invalid message",
    Close.UNAUTHORIZED: "Unauthorized",
    Close.FORBIDDEN: "Forbidden",
    Close.SUBPROTOCOL: "Subprotocol not acceptable",
    Close.NO_INIT: "Connection initialisation timeout",
    Close.SECOND_INIT: "Too many initialisation requests",
    Close.INTERNAL_ERROR: "Internal server error",
}


class Closing(NamedTuple):
    """How a socket is closed; without a reason, with the code's own."""

    code: Close
    reason: str = ""

    @property
    def message(self) -> Message:
        """The message of ASGI that closes a socket."""
        reason = (self.reason or _REASONS[self.code]).encode()[:_MAX_REASON].decode(errors="ignore")
        return {"type": "websocket.close", "code": int(self.code), "reason": reason}
