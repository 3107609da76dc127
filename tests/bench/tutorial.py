"""A server as in Strawberry's documentation, with all optimisations.

Strawberry's ASGI view, aiodataloader, SQLModel's ORM rows through AsyncSession. Documents are parsed and validated once
(ParserCache, ValidationCache), answers encoded by orjson, connections pooled, statements compiled once by SQLAlchemy
and prepared once by asyncpg, and it runs on uvloop and httptools. Tokens are verified and cached as in the server. The
schema and the loading of rows are its own; scalars, ids and cursors are the server's, so that responses can be equal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import strawberry
from cross_web import HTTPException
from sqlalchemy import case, func, literal_column, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from db import tables as t
from db.queries.conversation.filters import ORDERS
from gql.fields.connection import decode_cursor
from gql.fields.scalars import SCALARS
from gql.security.auth import Authenticator, UnauthenticatedError
from gql.settings import Settings
from gql.web.server import tune_collector
from tests.bench.identity import conversation_number
from tests.bench.tutorial_context import Context, Info
from tests.bench.tutorial_loaders import Loaders
from tests.bench.tutorial_types import DEFAULT_SIZE, Connection, Conversation

_C: Any = t.Conversation
_NEVER: Any = literal_column("'-infinity'::timestamptz")
# The expression of the index; otherwise each page would sort all conversations.
_NEWEST = case((_C.last_message_at.is_(None), _NEVER), else_=_C.last_message_at)
_ORDER = ORDERS["last_message_at", True]


@strawberry.type
class Query:
    """The root of queries."""

    @strawberry.field
    async def conversations(
        self, info: Info, first: int = DEFAULT_SIZE, after: str | None = None
    ) -> Connection[Conversation]:
        """The newest message first."""
        statement = select(t.Conversation).where(_C.account_id == info.context.viewer.account_id)
        if after is not None:
            position = decode_cursor("Query.conversations", _ORDER, after)
            statement = statement.where(
                tuple_(_NEWEST, _C.id) < tuple_(func.coalesce(position.value, _NEVER), position.id)
            )
        async with AsyncSession(info.context.reading) as session:
            rows = await session.exec(statement.order_by(_NEWEST.desc(), _C.id.desc()).limit(first))
            return Connection(nodes=[Conversation.of(row) for row in rows])

    @strawberry.field
    async def conversation(self, info: Info, id: strawberry.ID) -> Conversation | None:
        """One conversation by its id."""
        return await info.context.loaders.row(t.Conversation, _number(info, id), Conversation.of)  # type: ignore[misc,no-any-return]


@strawberry.input
class UpdateConversationInput:
    """The changes."""

    conversation_id: strawberry.ID
    closed: bool


@strawberry.type
class UserError:
    """The reason for a rejection."""

    message: str
    path: list[str]


@strawberry.type
class UpdateConversationPayload:
    """The result."""

    conversation: Conversation | None
    user_errors: list[UserError]


@strawberry.type
class Mutation:
    """The root of mutations."""

    @strawberry.mutation
    async def update_conversation(self, info: Info, input: UpdateConversationInput) -> UpdateConversationPayload:
        """Close or open a conversation, in one transaction that locks its row."""
        mine = _C.account_id == info.context.viewer.account_id
        statement = select(t.Conversation).where(mine, _C.id == _number(info, input.conversation_id))
        async with AsyncSession(info.context.engine, expire_on_commit=False) as session, session.begin():
            row = (await session.exec(statement.with_for_update(key_share=True))).one_or_none()
            if row is None:
                missing = UserError(message="There is no such conversation", path=["input", "conversationId"])
                return UpdateConversationPayload(conversation=None, user_errors=[missing])
            if (row.closed_at is not None) != input.closed:
                now = datetime.now(UTC)
                row.closed_at, row.updated_at = now if input.closed else None, now
                # Columns that the database computes are read again.
                await session.flush()
                await session.refresh(row)
        return UpdateConversationPayload(conversation=Conversation.of(row), user_errors=[])


class View(GraphQL[Context, None]):
    """Strawberry's view with a context, and orjson."""

    authenticator: Authenticator
    engine: AsyncEngine
    reading: AsyncEngine

    async def get_context(self, request: Any, response: Any) -> Context:  # noqa: ARG002  # Strawberry's hook
        """The context of the request; 401 without a valid token."""
        try:
            viewer = (await self.authenticator.authenticate(request.headers.get("authorization"))).viewer
        except UnauthenticatedError:
            raise HTTPException(401, "A valid bearer token is needed") from None
        return Context(viewer, Loaders(self.reading, viewer.account_id), self.engine, self.reading)

    def encode_json(self, data: object) -> bytes:
        """Faster than the standard library."""
        return orjson.dumps(data)


def create_app() -> Starlette:
    """The application, configured by the environment."""
    settings = Settings()
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=[ParserCache, ValidationCache],
    )
    view = View(schema)
    view.authenticator = Authenticator(settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        view.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: asyncpg.connect(settings.database_url),
            pool_size=settings.pool_size,
            max_overflow=0,
        )
        view.reading = view.engine.execution_options(isolation_level="AUTOCOMMIT")
        tune_collector()
        yield
        await view.engine.dispose()

    return Starlette(routes=[Route("/graphql", view, methods=None)], lifespan=lifespan)


def _number(info: Info, text: str) -> int:
    return conversation_number(info.context.viewer.account_id, text)
