"""Claim: no query of an inbox takes long in a large account.

The queries of `heavy.json` run on this server in this process: each filter with each order in both directions, the
first page and the next one, and its `totalCount`; the order RELEVANCE only with a search; then the counts, whole
documents, and the other lists in the same way. The viewer is a user with assigned conversations. The time of a query is
the least of several attempts, because other load on the machine can only add to it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import structlog

from db import tables as t
from db.engine import Database
from gql.app import create_app
from gql.fields.node import encode_id
from gql.settings import Settings
from tests.bench.database import ACCOUNT
from tests.bench.measure import SECRET, token_of
from tests.support.plans import Ran, hear

# The limit in milliseconds of the slowest query, by the number of conversations in the account.
LIMITS_MS: Mapping[int, float] = {300_000: 300, 1_000_000: 500}
WORST = 10
# A query that takes less than these milliseconds at the first attempt is not repeated.
_QUICK_MS = 40.0

_QUESTIONS = Path(__file__).with_name("heavy.json")
_RELEVANCE = "RELEVANCE"

_PAGE = """
query ($filter: {type}Filter, $order: {type}Order, $after: String) {{
  list: {list}(filter: $filter, orderBy: $order, after: $after) {{
    nodes {{ id }} pageInfo {{ endCursor hasNextPage }}
  }}
}}
"""
_COUNT = "query ($filter: {type}Filter) {{ {list}(filter: $filter) {{ totalCount }} }}"
# The lists of the schema, with the names of their types.
_LISTS = {
    "conversations": "Conversation",
    "bookings": "Booking",
    "rentals": "Rental",
    "clients": "Client",
    "inquiries": "Inquiry",
    "messages": "Message",
}
_COUNTS = (
    *("open", "closed", "spam", "unread", "unassigned", "mine", "needsReply", "overdue", "undelivered"),
    *("inquiry", "reserved", "checkInToday", "atProperty", "checkOutToday", "postStay", "canceled"),
)
_INBOX_COUNTS = "query ($filter: ConversationFilter) {{ inboxCounts(filter: $filter) {{ {} }} }}"
_SCREEN = f"""
{{
  conversations(first: 50) {{
    totalCount
    nodes {{ subject stage unreadCount waitingSince assignee {{ firstname }} lastMessage {{ content }} }}
  }}
  inboxCounts {{ {" ".join(_COUNTS)} }}
}}
"""


def _by_frequency(column: str, *, rarest_first: bool = False) -> str:
    """A query for the values of a column of conversations."""
    rows = f"SELECT {column} FROM conversations WHERE account_id = $1 AND {column} IS NOT NULL"  # noqa: S608
    return f"{rows} GROUP BY 1 ORDER BY count(*) {'ASC' if rarest_first else 'DESC'}, 1"


# The values of '$…' in `heavy.json`: a table and a query of ids, or no table and a query of values.
_ROWS: Mapping[str, tuple[type[t.Table] | None, str]] = {
    "conversation": (t.Conversation, "SELECT id FROM conversations WHERE account_id = $1 ORDER BY id * 7919 % 100003"),
    "host": (t.Host, _by_frequency("assignee_id")),
    "every host": (t.Host, "SELECT id FROM hosts WHERE account_id = $1 ORDER BY id"),
    "rarest source": (t.Source, _by_frequency("source_id", rarest_first=True)),
    "commonest source": (t.Source, _by_frequency("source_id")),
    "rarest channel": (None, _by_frequency("default_channel", rarest_first=True)),
    "commonest channel": (None, _by_frequency("default_channel")),
    "booking": (t.Booking, "SELECT booking_id FROM conversation_bookings WHERE account_id = $1 ORDER BY 1 LIMIT 10"),
    "inquiry": (t.Inquiry, "SELECT id FROM inquiries WHERE account_id = $1 AND conversation_id > 0 ORDER BY 1 LIMIT 9"),
    "rental": (t.Rental, "SELECT id FROM rentals WHERE account_id = $1 ORDER BY id"),
    "client": (t.Client, "SELECT client_id FROM participants WHERE account_id = $1 AND client_id > 0 ORDER BY 1"),
}
_MOMENTS: Mapping[str, str] = {
    "first updatedAt": "SELECT min(updated_at) FROM conversations WHERE account_id = $1",
    "last updatedAt": "SELECT max(updated_at) FROM conversations WHERE account_id = $1",
    "middle": "SELECT max(created_at) - (max(created_at) - min(created_at)) / 2 FROM conversations"
    " WHERE account_id = $1",
}


@dataclass(frozen=True, slots=True)
class Question:
    """A document with its variables; `after_first` are those of the second page."""

    filter: str
    order: str
    document: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    after_first: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The time of a query, and PostgreSQL's plans of its statements, for the slowest queries only."""

    question: Question
    ms: float
    plans: tuple[str, ...] = ()


def measure_heavy(
    dsn: str, attempts: int, progress: Callable[[str], None], *, only: str | None = None
) -> list[Answered]:
    """All queries, the slowest first; with `only`, those of that filter."""
    return asyncio.run(_measure(dsn, attempts, progress, only))


def limit_ms(conversations: int) -> float:
    """The limit in milliseconds of a query in an account with that many conversations."""
    return next((limit for most, limit in LIMITS_MS.items() if conversations <= most), max(LIMITS_MS.values()))


def heavy_as_json(found: list[Answered], conversations: int, machine: Mapping[str, Any]) -> dict[str, Any]:
    """The slowest queries, and their total number."""
    return {
        "slow": [
            {"filter": each.question.filter, "order": each.question.order, "ms": round(each.ms, 1)}
            for each in found[:WORST]
        ],
        "questions": len(found),
        "limit_ms": limit_ms(conversations),
        "over_limit": sum(each.ms > limit_ms(conversations) for each in found),
        "conversations": conversations,
        "machine": dict(machine),
    }


def heavy_text(found: list[Answered], conversations: int) -> str:
    """The slowest queries with their plans."""
    limit = limit_ms(conversations)
    lines = [f"{len(found):,} questions, {sum(each.ms > limit for each in found)} of them over {limit:g} ms"]
    for each in found[:WORST]:
        lines += ["", f"{each.ms:,.1f} ms  {each.question.filter}, {each.question.order}", *each.plans]
    return "\n".join(lines)


async def _measure(dsn: str, attempts: int, progress: Callable[[str], None], only: str | None) -> list[Answered]:
    # Its connections have the settings of the server's.
    database = Database(dsn, pool_size=1)
    await database.start()
    found: list[tuple[Answered, list[tuple[str, Any]]]] = []
    try:
        with pytest.MonkeyPatch.context() as monkeypatch:
            ran = hear(monkeypatch)
            async with database.pool.connection() as connection, _asking(dsn, await _user(connection)) as ask:
                asked = [each for each in await _questions(connection) if only in {None, each.filter}]
                for number, question in enumerate(asked):
                    progress(f"{number} of {len(asked)}: {question.filter}, {question.order}")
                    if (ms := await _time(ask, question, ran, attempts)) is not None:
                        found.append((Answered(question, ms), ran.take()))
                found.sort(key=lambda pair: pair[0].ms, reverse=True)
                for place, (each, statements) in enumerate(found[:WORST]):
                    plans = [await _explain(connection, *statement) for statement in statements]
                    found[place] = Answered(each.question, each.ms, tuple(plans)), statements
    finally:
        await database.stop()
    return [each for each, _ in found]


async def _user(connection: Any) -> str:
    """The user with the most assigned conversations, as the subject of a token."""
    user = await connection.fetchval(
        "SELECT h.user_id FROM hosts h JOIN conversations c ON (c.account_id, c.assignee_id) = (h.account_id, h.id)"
        " WHERE h.account_id = $1 AND h.user_id IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
        ACCOUNT,
    )
    return f"user:{user}"


@asynccontextmanager
async def _asking(dsn: str, actor: str) -> AsyncIterator[Callable[..., Any]]:
    """A function that sends a document with its variables to an application in this process, and returns the data."""
    settings = Settings(database_url=dsn, jwt_secret=SECRET, rate_limit=0, operation_timeout=60)
    app = create_app(settings)
    # Log lines of requests would hide the results.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    headers = {"Authorization": f"Bearer {token_of(ACCOUNT, actor)}", "Content-Type": "application/json"}

    async def ask(document: str, variables: Mapping[str, Any]) -> Any:
        body = orjson.dumps({"query": document, "variables": variables})
        answer = orjson.loads((await http.post("/graphql", content=body, headers=headers)).content)
        if "errors" in answer:
            raise RuntimeError(f"{variables}: {answer['errors']}")
        return answer["data"]

    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox", timeout=120) as http:
            await ask("{ __typename }", {})
            yield ask


async def _time(ask: Callable[..., Any], question: Question, ran: Ran, attempts: int) -> float | None:
    """The least milliseconds of several attempts; None if there is no such page. `ran` has the last attempt."""
    variables = dict(question.variables)
    if question.after_first:
        info = (await ask(question.document, variables))["list"]["pageInfo"]
        if not info["hasNextPage"]:
            return None
        variables["after"] = info["endCursor"]
    # Planning and compiling happen once and are not part of a query's time.
    await ask(question.document, variables)
    least = float("inf")
    for _ in range(attempts):
        ran.take()
        started = time.perf_counter()
        await ask(question.document, variables)
        least = min(least, (time.perf_counter() - started) * 1_000)
        if least < _QUICK_MS:
            break
    return least


async def _explain(connection: Any, sql: str, values: Any) -> str:
    lines = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", *values)
    return "\n".join(line[0] for line in lines)


async def _questions(connection: Any) -> list[Question]:
    asked = orjson.loads(_QUESTIONS.read_bytes())
    found = await _of_list(connection, "conversations", asked["filters"], asked["orders"])
    every = " ".join(_COUNTS)
    for name, written in asked["counts"].items():
        filter_ = await _filled(connection, written)
        for selected in _COUNTS if name == "each count alone" else (every,):
            order = "inboxCounts" if selected == every else f"inboxCounts {selected}"
            found.append(Question(name, order, _INBOX_COUNTS.format(selected), {"filter": filter_}))
    found += [Question("none", "a whole screen", _SCREEN)]
    found += [Question(name, "a document", document) for name, document in asked["documents"].items()]
    for list_, of_list in asked["lists"].items():
        found += await _of_list(connection, list_, of_list["filters"], [None, *of_list["orders"]])
    return found


async def _of_list(
    connection: Any, list_: str, filters: Mapping[str, Any], orders: Sequence[str | None]
) -> list[Question]:
    """The pages of each filter in each order, None for that without `orderBy`, and its count."""
    found: list[Question] = []
    form = {"list": list_, "type": _LISTS[list_]}
    for name, written in filters.items():
        filter_ = await _filled(connection, written)
        label = name if list_ == "conversations" else f"{list_}: {name}"
        for order in orders:
            if order == _RELEVANCE and "search" not in filter_:
                continue
            found += _pages(label, _PAGE.format(**form), filter_, order)
        found.append(Question(label, "totalCount", _COUNT.format(**form), {"filter": filter_}))
    return found


def _pages(name: str, document: str, filter_: Any, order: str | None) -> Iterator[Question]:
    for direction in ("ASC", "DESC") if order else (None,):
        order_by = order and {"field": order, "direction": direction}
        label = f"{order} {direction}" if order else "no order"
        variables = {"filter": filter_, "order": order_by}
        for page in (1, 2):
            yield Question(name, f"{label}, page {page}", document, variables, after_first=page == 2)


async def _filled(connection: Any, written: Any) -> Any:
    """A filter of `heavy.json` with the account's rows and times in place of '$…'."""
    if isinstance(written, dict):
        return {key: await _filled(connection, value) for key, value in written.items()}
    if isinstance(written, list):
        parts = [await _filled(connection, value) for value in written]
        return [item for part in parts for item in (part if isinstance(part, list) else [part])]
    if not (isinstance(written, str) and written.startswith("$")):
        return written
    name, _, shift = written[1:].partition(" + ") if " + " in written else written[1:].partition(" - ")
    if name in _MOMENTS:
        return await _moment(connection, name, shift, back=" - " in written)
    name, _, number = name.partition("*")
    table, query = _ROWS[name]
    rows = await connection.fetch(query, ACCOUNT)
    values = list(dict.fromkeys(row[0] for row in rows))[: None if name == "every host" else int(number or 1)]
    return [value if table is None else encode_id(table, ACCOUNT, value) for value in values]


async def _moment(connection: Any, name: str, shift: str, *, back: bool) -> str:
    moment: datetime = await connection.fetchval(_MOMENTS[name], ACCOUNT)
    days = timedelta(days=int(shift.split(maxsplit=1)[0])) if shift else timedelta()
    return (moment - days if back else moment + days).isoformat(timespec="milliseconds")
