"""Reports and retries in any order: deliveries, counts and filters equal a second implementation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from db import tables as t
from gql.fields.node import encode_id
from tests.oracles.relaying import Relayed
from tests.support.factories import MOMENT
from tests.support.place import Place
from tests.support.replying import shown
from tests.support.world import CONVERSATION, OTHER_CONVERSATION

STEP = timedelta(milliseconds=1)
PLACES = st.integers(0, 5)
AGES = st.sampled_from([None, timedelta(0), timedelta(seconds=30), timedelta(hours=2), timedelta(minutes=-4)])


@pytest.fixture
def place(shared_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The application for all examples, with a clock that rules move."""
    place = Place(shared_dsn, tmp_path)
    monkeypatch.setattr("db.queries.writing.now", lambda: place.now)
    yield place
    place.close()


class Deliveries(RuleBasedStateMachine):
    """Two conversations, in which a host writes."""

    place: Place

    @initialize()
    def begin(self) -> None:
        """No messages."""
        self.place.now = MOMENT
        self.place.run(self.place.fill())
        self.messages: dict[int, tuple[int, Relayed]] = {}

    def mutate(self, client: Any, field: str, **input: Any) -> tuple[int | None, list[str]]:
        """The id of the message, and the codes of user errors."""
        type_ = f"{field[0].upper()}{field[1:]}Input"
        document = (
            f"mutation($i: {type_}!) {{ it: {field}(input: $i) {{ message {{ databaseId }} userErrors {{ code }} }} }}"
        )
        data = self.place.run(client.data(document, i=input))["it"]
        id_ = data["message"] and int(data["message"]["databaseId"])
        return id_, [each["code"] for each in data["userErrors"]]

    @rule(other=st.booleans())
    def write(self, *, other: bool) -> None:
        """Write a reply."""
        self.place.now += timedelta(seconds=10)
        there = OTHER_CONVERSATION if other else CONVERSATION
        id_, _ = self.mutate(
            self.place.user, "createMessage", conversationId=encode_id(t.Conversation, 1, there), content="Hello"
        )
        assert id_ is not None
        self.messages[id_] = there, Relayed("QUEUED", self.place.now)

    @precondition(lambda self: self.messages)
    @rule(
        which=PLACES,
        state=st.sampled_from(["SENT", "DELIVERED", "READ", "FAILED", "FAILED"]),
        age=AGES,
        named=st.sampled_from([None, 0, 0, 1]),
        wait=st.booleans(),
    )
    def report(self, *, which: int, state: str, age: timedelta | None, named: int | None, wait: bool) -> None:
        """Report a state, maybe late, maybe with an id."""
        if wait:
            self.place.now += timedelta(minutes=1)
        id_, there, relayed = self.chosen(which)
        moment = max(self.place.now, self.updated_at(id_) + STEP)
        at = moment if age is None else min(self.place.now - age, moment)
        external_id = None if named is None else f"x{id_}-{relayed.attempts + named}"
        error = "No answer" if state == "FAILED" else None
        given: dict[str, Any] = {} if age is None else {"at": shown(self.place.now - age)}
        _, codes = self.mutate(
            self.place.channel,
            "reportDelivery",
            messageId=encode_id(t.Message, 1, id_),
            state=state,
            externalId=external_id,
            error=error,
            **given,
        )
        if relayed.keeps(external_id):
            assert codes == ["CONFLICT"]
            return
        assert codes == []
        self.messages[id_] = there, relayed.reported(state, at, error, external_id)

    @precondition(lambda self: self.messages)
    @rule(which=PLACES)
    def retry(self, which: int) -> None:
        """Queue one again."""
        id_, there, relayed = self.chosen(which)
        moment = max(self.place.now, self.updated_at(id_) + STEP)
        _, codes = self.mutate(self.place.user, "retryDelivery", messageId=encode_id(t.Message, 1, id_))
        assert codes == ([] if relayed.state in {"QUEUED", "FAILED"} else ["INVALID"])
        self.messages[id_] = there, relayed.retried(moment)

    def chosen(self, which: int) -> tuple[int, int, Relayed]:
        """One of the messages, with its conversation and its expected delivery."""
        id_ = list(self.messages)[which % len(self.messages)]
        return id_, *self.messages[id_]

    def updated_at(self, id_: int) -> Any:
        """When the message last changed."""
        return self.place.run(self.place.connection.fetchval("SELECT updated_at FROM messages WHERE id = $1", id_))

    @invariant()
    def it_is_as_the_second_implementation_says(self) -> None:
        """Compare deliveries, counts, filters and what is derived."""
        data = self.place.run(
            self.place.user.data(
                "{ inboxCounts { undelivered } conversations(filter: { deliveryFailed: true }) { nodes { databaseId } }"
                " all: conversations { nodes { undeliveredCount messages(first: 50) { nodes {"
                " databaseId delivery { state at error attempts externalId } } } } } }"
            )
        )
        nodes = [message for node in data["all"]["nodes"] for message in node["messages"]["nodes"]]
        assert {int(node["databaseId"]): node["delivery"] for node in nodes} == {
            id_: {
                "state": relayed.state,
                "at": shown(relayed.at),
                "error": relayed.error,
                "attempts": relayed.attempts,
                "externalId": relayed.external_id,
            }
            for id_, (_, relayed) in self.messages.items()
        }
        failed = [there for there, relayed in self.messages.values() if relayed.state == "FAILED"]
        assert {int(node["databaseId"]) for node in data["conversations"]["nodes"]} == set(failed)
        assert data["inboxCounts"]["undelivered"] == len(set(failed))
        assert sum(node["undeliveredCount"] for node in data["all"]["nodes"]) == len(failed)


@pytest.mark.slow
def test_any_order_of_reports_ends_in_the_expected_state(place: Place) -> None:
    class Here(Deliveries):
        pass

    Here.place = place
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=12, stateful_step_count=14, deadline=None, phases=(Phase.generate, Phase.explicit)
        ),
    )
