"""Links of imported records: at once, after a later import of the other record, and never two at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.bookingsync.report import Fate
from tests.support.importing import Inbox, by_text, record, thread

pytestmark = pytest.mark.anyio


@pytest.fixture
def inbox(connection: asyncpg.Connection, tmp_path: Path) -> Inbox:
    """An empty database to import into."""
    return Inbox(connection, tmp_path)


async def test_a_member_or_creator_that_comes_later_is_linked(inbox: Inbox) -> None:
    pages = thread(5)
    pages["conversations"][0]["links"]["created_by"] = {"id": 32, "type": "User"}
    pages["messages"][0]["links"]["created_by"] = {"id": 65, "type": "Doorkeeper::Application"}
    assert len((await inbox.give(**pages)).leftovers) == 3
    report = await inbox.give(
        clients=[record("clients", 30)], users=[record("users", 32)], applications=[{"id": 65, "name": "Airbnb"}]
    )
    assert report.linked == {"conversations": 1, "participants": 1, "messages": 1}
    assert await inbox.one("SELECT client_id FROM participants") == 30
    assert await inbox.one("SELECT created_by_user_id FROM conversations") == 32
    assert await inbox.one("SELECT created_by_application_id FROM messages") == 65
    assert (await inbox.give(**pages)).leftovers == []


async def test_a_member_that_comes_later_to_another_account_is_not_linked(inbox: Inbox) -> None:
    await inbox.give(**thread(5))
    report = await inbox.give(clients=[record("clients", 30, links={"account": 2})])
    assert report.linked == {}
    assert await inbox.one("SELECT client_id FROM participants") is None


async def test_the_same_record_given_again_is_completed_with_what_has_come(inbox: Inbox) -> None:
    conversation = record("conversations", 5, links={"assignee": 31, "bookings": [4], "inquiries": [6]})
    booking = record("bookings", 4, links={"client": 30})
    assert len((await inbox.give(conversations=[conversation], bookings=[booking])).leftovers) == 2 + 1
    await inbox.give(
        hosts=[record("hosts", 31)],
        clients=[record("clients", 30)],
        rentals=[record("rentals", 2)],
        inquiries=[record("inquiries", 6, links={"rental": 2})],
    )
    report = await inbox.give(conversations=[conversation], bookings=[booking])
    assert report.leftovers == []
    assert report.imported == {"bookings": 1, "conversations": 1}
    assert await inbox.one("SELECT assignee_id FROM conversations") == 31
    assert await inbox.one("SELECT client_id FROM bookings") == 30
    assert await inbox.one("SELECT conversation_id FROM inquiries") == 5


async def test_a_newer_conversation_has_exactly_the_bookings_and_inquiries_that_it_names(inbox: Inbox) -> None:
    rental = {"rental": 2}
    await inbox.give(
        rentals=[record("rentals", 2)],
        bookings=[record("bookings", 3), record("bookings", 4)],
        inquiries=[record("inquiries", 6, links=rental), record("inquiries", 7, links=rental)],
        conversations=[record("conversations", 5, links={"bookings": [3, 4, 4], "inquiries": [6, 7]})],
    )
    assert await inbox.one("SELECT count(*) FROM conversation_bookings") == 2
    await inbox.give(conversations=[record("conversations", 5, day=2)])
    assert await inbox.one("SELECT count(*) FROM conversation_bookings") == 2, "a record that names none says nothing"
    await inbox.give(conversations=[record("conversations", 5, day=3, links={"bookings": [4], "inquiries": [7]})])
    assert await inbox.connection.fetch("SELECT booking_id FROM conversation_bookings") == [(4,)]
    inquiries = await inbox.connection.fetch("SELECT id, conversation_id FROM inquiries ORDER BY id")
    assert inquiries == [(6, None), (7, 5)]


@pytest.mark.parametrize("order", [(8, 9), (9, 8)])
async def test_an_inquiry_has_the_first_conversation_that_claims_it(inbox: Inbox, order: tuple[int, int]) -> None:
    await inbox.give(rentals=[record("rentals", 2)], inquiries=[record("inquiries", 6, links={"rental": 2})])
    claims = [record("conversations", id, links={"inquiries": [6]}) for id in order]  # noqa: A001
    report = await inbox.give(conversations=claims)
    text = "inquiry 6 belongs to conversation 8: not connected"
    assert by_text(report) == [("conversations", 9, Fate.NOT_LINKED, text)]
    assert await inbox.one("SELECT conversation_id FROM inquiries") == 8


async def test_the_first_conversation_has_the_inquiry_also_when_it_comes_later(inbox: Inbox) -> None:
    await inbox.give(rentals=[record("rentals", 2)], inquiries=[record("inquiries", 6, links={"rental": 2})])
    for id, holder in ((9, 9), (8, 8), (9, 8)):  # noqa: A001
        await inbox.give(conversations=[record("conversations", id, links={"inquiries": [6]})])
        assert await inbox.one("SELECT conversation_id FROM inquiries") == holder


async def test_an_inquiry_has_the_booking_that_it_names_or_the_first_that_names_it(inbox: Inbox) -> None:
    report = await inbox.give(
        rentals=[record("rentals", 2)],
        bookings=[record("bookings", id, links={"inquiry": 6 if id < 5 else 7}) for id in (4, 3, 5, 8)],  # noqa: A001
        inquiries=[
            record("inquiries", 6, links={"rental": 2}),
            record("inquiries", 7, links={"rental": 2, "booking": 8}),
        ],
    )
    assert by_text(report) == [
        ("bookings", 4, Fate.NOT_LINKED, "inquiry 6 belongs to booking 3: not connected"),
        ("bookings", 5, Fate.NOT_LINKED, "inquiry 7 belongs to booking 8: not connected"),
    ]
    assert await inbox.connection.fetch("SELECT id, booking_id FROM inquiries ORDER BY id") == [(6, 3), (7, 8)]


async def test_a_participant_does_not_move_to_another_conversation(inbox: Inbox) -> None:
    await inbox.give(**thread(5), clients=[record("clients", 30)])
    moved = record("participants", 5, day=2, links={"conversation": 6, "member": {"id": 30, "type": "Client"}})
    report = await inbox.give(conversations=[record("conversations", 6)], participants=[moved])
    text = "conversation 5 has this participant already"
    assert by_text(report) == [("participants", 5, Fate.KEPT_ASIDE, text)]
    assert await inbox.one("SELECT conversation_id FROM participants") == 5


async def test_a_conversation_is_found_by_the_inquiries_that_it_has_and_by_no_others(inbox: Inbox) -> None:
    async def words(conversation: int) -> set[str]:
        """The addresses that the conversation is found by."""
        lexemes = await inbox.one(
            f"SELECT tsvector_to_array(words) FROM conversation_texts WHERE conversation_id = {conversation}"  # noqa: S608
        )
        return {name for name in ("ada", "bea", "cleo") if f"1 {name}" in lexemes}

    def inquiry(id_: int, name: str, day: int = 1) -> dict[str, Any]:
        person = {"firstname": "", "lastname": "", "email": f"{name}@guest.example"}
        return record("inquiries", id_, day=day, links={"rental": 2}, **person)

    rentals = [record("rentals", 2)]
    await inbox.give(conversations=[record("conversations", 8, links={"inquiries": [6, 7]})])
    assert await words(8) == set()
    # They come later, and are linked when the conversation is given again.
    again = [record("conversations", 8, links={"inquiries": [6, 7]})]
    await inbox.give(rentals=rentals, inquiries=[inquiry(6, "ada"), inquiry(7, "bea")], conversations=again)
    assert await words(8) == {"ada", "bea"}
    # The address changes.
    await inbox.give(inquiries=[inquiry(7, "cleo", day=2)])
    assert await words(8) == {"ada", "cleo"}
    # A conversation with a lower id names it, too.
    await inbox.give(conversations=[record("conversations", 5, links={"inquiries": [6]})])
    assert (await words(5), await words(8)) == ({"ada"}, {"cleo"})
    # Its conversation names it no longer.
    await inbox.give(conversations=[record("conversations", 5, day=2, links={"inquiries": []})])
    assert await words(5) == set()
    # It is deleted.
    await inbox.give(inquiries=[], meta={"deleted_ids": [7]})
    assert await words(8) == set()
