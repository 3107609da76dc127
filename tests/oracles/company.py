"""A random export of a small company, with gaps, repeats, conflicting versions and mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from tests.support.importing import moment, record

ACCOUNTS = (1, 2)
FILES = 12
CHANGING = {"name", "fullname", "firstname", "reference", "subject", "content"}


def write_company(folder: Path, seed: int) -> list[Path]:
    """Write the same files for the same seed. A record is in any of them, or in several with different ages."""
    dice = Random(seed)  # noqa: S311  # an order, not a secret
    pages: list[dict[str, list[Any]]] = [{} for _ in range(FILES)]
    for kind, id, links, fields in _records(dice):  # noqa: A001  # the field's own name
        for _ in range(dice.choice((1, 1, 2, 3))):
            day = dice.randint(1, 3)
            # Versions of the same day are mostly, but not always, equal.
            mark = f" {day}{dice.choice('aaaab')}"
            changed = {name: value + mark if name in CHANGING else value for name, value in fields.items()}
            dice.choice(pages).setdefault(kind, []).append(record(kind, id, day=day, links=links, **changed))
    pages[3] |= {"reviews": [{"id": 1}], "hosts": [*pages[3].get("hosts", []), {"id": 7}, 7]}
    files = [folder / f"{number:02}.json" for number in range(FILES)]
    for file, page in zip(files, pages, strict=True):
        file.write_text(json.dumps(page))
    files[4].write_text(files[4].read_text()[:-1])
    return files


def _records(dice: Random) -> list[tuple[str, int, dict[str, Any], dict[str, Any]]]:
    """Kind, id, links and fields. An account has ten ids of each kind; the last one may be missing."""
    drawn: list[tuple[str, int, dict[str, Any], dict[str, Any]]] = [("applications", 65, {}, {})]
    drawn += [("accounts", 1, {}, {"default_timezone": "Mars/Olympus"})]
    for account in ACCOUNTS:
        base = account * 100
        own = {"account": account}

        def some(base: int = base) -> int:
            return base + dice.randint(1, 10)

        def creator() -> dict[str, Any] | None:
            actor = {"id": some(), "type": "User"}
            return dice.choice([None, actor, {"id": 65, "type": "Doorkeeper::Application"}])

        for id in range(base + 1, base + 10):  # noqa: A001  # the field's own name
            drawn += [(kind, id, own, {"name": f"N{id}"}) for kind in ("users", "sources", "rentals")]
            drawn += [
                ("clients", id, own, {"fullname": f"Client {id}"}),
                ("hosts", id, own | {"user": some(), "source": some()}, {"firstname": f"Host {id}"}),
                (
                    "bookings",
                    id,
                    own | {"client": some(), "rental": some(), "inquiry": some()},
                    {"reference": f"R{id}"},
                ),
                ("inquiries", id, {"rental": some(), "booking": dice.choice([None, some()])}, {}),
            ]
            links = own | {"bookings": [some(), some()], "inquiries": [some(), some()], "created_by": creator()}
            fields = {"subject": f"Thread {id}", "read_at": dice.choice([None, moment(2)])}
            drawn.append(("conversations", id, links | {"assignee": some()}, fields))
            for participant in range(id * 10, id * 10 + 3):
                member = {"id": some(), "type": dice.choice(["Client", "Host"])}
                drawn.append(("participants", participant, {"conversation": id, "member": member}, {}))
            for message in range(id * 10, id * 10 + 5):
                links = {"conversation": id, "sender": id * 10 + dice.randint(0, 3), "created_by": creator()}
                fields = {"content": f"Words {message}", "sent_at": moment(dice.randint(1, 9))}
                drawn.append(("messages", message, links, fields))
    return drawn
