"""A client that keeps a copy of an inbox, as a front end does, and loses its connection at random.

It uses only the API: it reads the lists with `changesCursor`, follows changes over a WebSocket or by server-sent
events, stores nodes by their ids, and builds the answer to the query for the lists from what it has stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeAlias

import orjson

from tests.support.websocket import SocketServer

_NODES = """
fragment OfConversation on Conversation {
  id databaseId subject closed closedAt markedAsSpam read readAt unreadCount needsReply waitingSince deadlineResponseAt
  lastMessageAt updatedAt defaultChannel assignee { id firstname } lastMessage { id content }
  bookings { nodes { id reference } }
}
fragment OfParticipant on Participant {
  id databaseId conversation { id } memberType memberId readAt lastMessageSentAt updatedAt
}
fragment OfMessage on Message {
  id databaseId conversation { id } sender { id } content visibility sentAt updatedAt
}
fragment OfBooking on Booking { id databaseId reference status }
"""
_LISTS = f"""
query Lists {{
  changesCursor
  conversations(first: 100, orderBy: {{field: UPDATED_AT, direction: ASC}}) {{
    nodes {{
      ...OfConversation
      participants(first: 100) {{ nodes {{ ...OfParticipant }} }}
      messages(first: 100) {{ nodes {{ ...OfMessage }} }}
    }}
  }}
  bookings(first: 100) {{ nodes {{ ...OfBooking }} }}
}}
{_NODES}"""
_FOLLOW = f"""
subscription Follow($after: String!) {{
  changes(after: $after) {{
    changes {{ operation nodeId node {{ __typename ...OfConversation ...OfParticipant ...OfMessage ...OfBooking }} }}
    endCursor
  }}
}}
{_NODES}"""


class Mirror:
    """The copy of one client, and where it is in the change log."""

    def __init__(self, server: SocketServer, dice: Random) -> None:
        self.server = server
        self.dice = dice
        self.cursor = ""
        self.interruptions = 0
        self._nodes: dict[str, dict[str, Any]] = {}

    async def read(self) -> None:
        """Read the lists."""
        data = await self.server.client.data(_LISTS)
        self.cursor = data["changesCursor"]
        for conversation in data["conversations"]["nodes"]:
            for name, type_ in (("participants", "Participant"), ("messages", "Message")):
                for node in conversation.pop(name)["nodes"]:
                    self._nodes[node["id"]] = {"__typename": type_} | node
            self._nodes[conversation["id"]] = {"__typename": "Conversation"} | conversation
        for booking in data["bookings"]["nodes"]:
            self._nodes[booking["id"]] = {"__typename": "Booking"} | booking

    async def run(self, way: Way) -> None:
        """Follow in one way, again and again, until cancelled."""
        while True:
            await way(self)
            self.interruptions += 1

    def take(self, payload: dict[str, Any]) -> None:
        """Apply an event."""
        assert "errors" not in payload, payload
        found = payload["data"]["changes"]
        for change in found["changes"]:
            node = change["node"]
            if change["operation"] == "REMOVED" or node is None:
                self._nodes.pop(change["nodeId"], None)
            elif "id" in node:
                self._nodes[change["nodeId"]] = node
        self.cursor = found["endCursor"]

    def lists(self) -> bytes:
        """The answer to the query for the lists, without the cursor."""
        conversations = [
            self._shown(node)
            | {
                "participants": {"nodes": self._of("Participant", node["id"], "databaseId")},
                "messages": {"nodes": self._of("Message", node["id"], "sentAt", "databaseId")},
            }
            for node in self._sorted("Conversation", "updatedAt", "databaseId")
        ]
        bookings = [self._shown(node) for node in self._sorted("Booking", "databaseId")]
        return orjson.dumps({"conversations": {"nodes": conversations}, "bookings": {"nodes": bookings}})

    def _of(self, type_: str, conversation: str, *order: str) -> list[dict[str, Any]]:
        nodes = self._sorted(type_, *order)
        return [self._shown(node) for node in nodes if node["conversation"]["id"] == conversation]

    def _sorted(self, type_: str, *order: str) -> list[dict[str, Any]]:
        nodes = [node for node in self._nodes.values() if node["__typename"] == type_]
        # A `databaseId` is a number as text.
        return sorted(
            nodes, key=lambda node: [int(node[name]) if name == "databaseId" else node[name] for name in order]
        )

    def _shown(self, node: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in node.items() if name != "__typename"}


Way: TypeAlias = Callable[[Mirror], Awaitable[None]]


async def read_lists(server: SocketServer) -> tuple[str, bytes]:
    """The end of the log, and the lists, from one query."""
    data = await server.client.data(_LISTS)
    return data.pop("changesCursor"), orjson.dumps(data)


async def by_websocket(mirror: Mirror) -> None:
    """Take some events over one WebSocket. It is closed, or lost before an event that was sent is applied."""
    async with mirror.server.session() as socket:
        await socket.subscribe(_FOLLOW, after=mirror.cursor)
        for _ in range(mirror.dice.randint(0, 4)):
            message = await socket.receive()
            if mirror.dice.random() < 0.3:
                socket.connection.transport.abort()
                return
            mirror.take(message["payload"])


async def by_event_stream(mirror: Mirror) -> None:
    """Take some events of one event stream. It is closed after any byte, mostly in the middle of an event."""
    client, dice = mirror.server.client, mirror.dice
    headers = client.headers | {"Accept": "text/event-stream"}
    body = {"query": _FOLLOW, "variables": {"after": mirror.cursor}}
    if dice.random() < 0.5:
        headers["Last-Event-ID"] = mirror.cursor
    # An event of 100 missed changes is longer than most events.
    left = dice.randint(0, 2_500) * dice.choice([1, 1, 1, 20])
    unread = b""
    async with client.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        async for data in response.aiter_raw():
            *events, unread = (unread + data[:left]).split(b"\n\n")
            for event in events:
                fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
                if b"data" in fields:
                    mirror.take(orjson.loads(fields[b"data"]))
                    assert mirror.cursor == fields[b"id"].decode()
            left -= len(data)
            if left <= 0:
                return
