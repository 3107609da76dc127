"""The queue of one subscriber: bounded, in order, and ended with where to continue."""

from __future__ import annotations

import asyncio
import time

import orjson
import pytest

from db.scope import Viewer
from db.tables import CreatorType
from gql.errors import Code
from gql.live.stream import MAX_BYTES, MAX_EVENTS, Event, Stream

pytestmark = pytest.mark.anyio

VIEWER = Viewer(1, CreatorType.USER, 1, frozenset())


def event(number: int, size: int = 10) -> Event:
    """An event whose cursor is its number."""
    return Event(b"x" * size, str(number))


def released(left: list[Stream]) -> Stream:
    """A stream that is up to date."""
    stream = Stream(VIEWER, "0", left.append)
    stream.release()
    return stream


async def taken(stream: Stream) -> list[Event]:
    """Everything until the stream ends."""
    return [event async for event in stream]


async def test_events_come_in_order_and_what_was_missed_comes_first() -> None:
    stream = Stream(VIEWER, "0", lambda _: None)
    stream.put(event(3))
    await stream.put_missed(event(1))
    await stream.put_missed(event(2))
    stream.release()
    stream.put(event(4))
    stream.end("closed")

    assert [event.cursor for event in await taken(stream)] == ["1", "2", "3", "4"]
    assert (stream.cursor, stream.sent) == ("4", 4)


@pytest.mark.parametrize(
    ("fits", "size"),
    [(MAX_EVENTS, 1), (2, MAX_BYTES // 2), (1, MAX_BYTES // 2 + 1), (1, 3 * MAX_BYTES)],
)
async def test_who_does_not_read_is_ended_with_the_cursor_to_continue_from(fits: int, size: int) -> None:
    left: list[Stream] = []
    stream = released(left)
    stream.put(event(1))
    await anext(stream)
    for number in range(fits):
        stream.put(event(2 + number, size))
    assert not stream.is_ended

    stream.put(event(1_000, size))

    (last,) = await taken(stream)
    assert orjson.loads(last.body) == {
        "errors": [
            {
                "message": "Events were not read fast enough: subscribe again after the cursor",
                "extensions": {"code": "RESYNC_REQUIRED", "cursor": "1"},
            }
        ]
    }
    assert (last.cursor, left) == ("1", [stream])


async def test_a_transport_sends_an_event_at_once_only_after_all_earlier_ones() -> None:
    stream = released([])
    sent: list[str | None] = []
    can_send = [True]

    def send_now(event: Event) -> bool:
        if can_send[0]:
            sent.append(event.cursor)
        return can_send[0]

    going_on = asyncio.Event()

    async def transport() -> None:
        async for event in stream:
            await going_on.wait()
            sent.append(event.cursor)

    stream.send_now = send_now
    # Nobody reads yet.
    stream.put(event(1))
    reading = asyncio.create_task(transport())
    await asyncio.sleep(0)
    # The first one is being sent.
    stream.put(event(2))
    assert sent == []
    going_on.set()
    await asyncio.sleep(0.01)
    stream.put(event(3))
    assert sent == ["1", "2", "3"]
    assert (stream.cursor, stream.sent) == ("3", 3)

    # The client does not read.
    can_send[0] = False
    stream.put(event(4))
    can_send[0] = True
    stream.put(event(5))
    assert sent == ["1", "2", "3"]
    await asyncio.sleep(0.01)
    stream.end("closed")
    await reading

    assert sent == ["1", "2", "3", "4", "5"]


async def test_what_is_held_back_is_bounded_too() -> None:
    stream = Stream(VIEWER, "7", lambda _: None)
    for number in range(MAX_EVENTS + 1):
        stream.put(event(number))

    (last,) = await taken(stream)
    assert last.cursor == "7"


async def test_what_was_missed_waits_for_the_reader() -> None:
    stream = Stream(VIEWER, "0", lambda _: None)

    async def publish() -> None:
        for number in range(1, 301):
            await stream.put_missed(event(number, MAX_BYTES // 4))
        stream.end("closed")

    publishing = asyncio.create_task(publish())
    seen = await taken(stream)
    await publishing

    assert [event.cursor for event in seen] == [str(number) for number in range(1, 301)]


async def test_a_reader_that_is_cancelled_while_it_waits_loses_nothing() -> None:
    stream = released([])
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    stream.put(event(1))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert (await anext(stream)).cursor == "1"


async def test_a_stream_ends_when_its_token_expires_and_what_came_before_can_still_be_taken() -> None:
    left: list[Stream] = []
    stream = released(left)
    stream.put(event(1))
    stream.expire_at(time.time() + 0.01)

    first, last = await taken(stream)

    assert first.cursor == "1"
    assert (orjson.loads(last.body)["errors"][0]["extensions"], last.cursor) == ({"code": Code.UNAUTHENTICATED}, "1")
    assert left == [stream]


async def test_closing_drops_what_waits_wakes_the_reader_and_leaves_once() -> None:
    left: list[Stream] = []
    stream = released(left)
    reading = asyncio.ensure_future(taken(stream))
    await asyncio.sleep(0)

    await stream.aclose()
    await stream.aclose()
    stream.put(event(1))

    assert (await reading, left) == ([], [stream])
