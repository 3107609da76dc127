"""A worker of webhooks that kills itself: `python -m tests.support.dying STEP NUMBER`.

STEP is where it does so, when it gets there for the NUMBERth time: `before` or `after` a request, or `recording`; with
another STEP it lives. Its leases and waits are short. The settings are in the environment.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import uvloop

from gql.cli.working import deliver
from gql.log import configure_log
from gql.settings import Settings
from gql.webhooks import worker
from gql.webhooks.schedule import Schedule
from gql.webhooks.sender import Sender

# As in production, a lease is longer than an attempt. Otherwise a slow machine lets another worker repeat each attempt
# before its result is recorded, so that none is.
QUICK = Schedule(waits=(0.1,) * 200, spread=0.2, unable=0.1, timeout=2.0, lease=4.0, poll=0.1)


def main(step: str, number: int) -> None:
    """Deliver until killed."""
    left = number
    request, record = Sender._request, vars(worker)["record"]  # noqa: SLF001

    def reach(place: str) -> None:
        nonlocal left
        left -= place == step
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    async def dying_request(self: Sender, *arguments: Any) -> None:
        reach("before")
        await request(self, *arguments)
        reach("after")

    async def dying_record(*arguments: Any) -> Any:
        reach("recording")
        return await record(*arguments)

    Sender._request = dying_request  # type: ignore[assignment, method-assign]  # noqa: SLF001
    vars(worker)["record"] = dying_record
    configure_log()
    uvloop.run(deliver(Settings(), QUICK))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
