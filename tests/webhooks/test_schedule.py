"""When a delivery is attempted again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gql.webhooks.schedule import DAY, HOUR, MINUTE, Schedule
from gql.webhooks.signature import headers

EXACT = replace(Schedule(), spread=0.0)


def test_the_waits_grow_to_a_day_and_end() -> None:
    waits = [EXACT.wait(failures, None) for failures in range(1, 11)]

    assert waits == [5, 5 * MINUTE, 30 * MINUTE, *(HOUR * hours for hours in (2, 5, 10, 14, 20, 24)), None]


def test_waits_are_spread() -> None:
    waits = [Schedule().wait(2, None) or 0.0 for _ in range(1_000)]

    assert 240 <= min(waits) < 250
    assert 350 < max(waits) <= 360


@pytest.mark.parametrize(("asked", "wait"), [(0.0, 5.0), (4.0, 5.0), (60.0, 60.0), (DAY, DAY), (10 * DAY, DAY)])
def test_a_receiver_can_make_a_wait_longer_up_to_a_day(asked: float, wait: float) -> None:
    assert EXACT.wait(1, asked) == wait


def test_a_signature_is_the_one_in_the_specification() -> None:
    """The example of Standard Webhooks: its secret, id, time and body."""
    # The base64 of `MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`.
    key = b"1\xf2\x90\xf6\xbf\x06)\x8a\xabO\x08\xd4<?\x08,\xf6H\xa3b\xda-\xa4\xb0"
    found = headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')

    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
