"""A client that speaks GraphQL over HTTP to an application in the same process, as a front end would."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

import httpx

from gql.security.token import SCOPES, mint
from gql.settings import Settings

SECRET = "a key for tests that is long enough"


def make_settings(dsn: str, **overrides: Any) -> Settings:
    """The settings of a test's application."""
    values: dict[str, Any] = {"database_url": dsn, "jwt_secret": SECRET, "pool_size": 4, "introspection": True}
    # A busy machine makes statements slow: only tests of this limit have it.
    values["rate_seconds"] = 0
    # The removal of old changes would run statements beside those that a test counts.
    values["changes_days"] = 0
    return Settings(**values | overrides)


@dataclass
class Statements:
    """The SQL that ran since the last look, without what opens and ends transactions."""

    sql: list[str] = field(default_factory=list)

    def add(self, sql: str) -> None:
        """Remember a statement, unless it sets up a connection or announces a commit."""
        first, *_ = sql.split(None, 1)
        ends = first.upper().strip(";") in {"BEGIN", "COMMIT", "ROLLBACK", ""}
        others = ("typeinfo_tree", "'jit'", "$1::bigint[], $2::varchar[]", "pg_notify", "LISTEN ", "PREPARE ")
        if not ends and not any(mark in sql for mark in others):
            self.sql.append(sql)

    def take(self) -> list[str]:
        """What ran, forgetting it."""
        taken, self.sql = self.sql, []
        return taken


@dataclass
class Client:
    """One viewer's client. Use `as_` for another viewer of the same application."""

    http: httpx.AsyncClient
    settings: Settings
    statements: Statements
    account: int = 1
    subject: str = "user:1"
    scopes: frozenset[str] = SCOPES

    def as_(self, account: int, subject: str = "user:1", scopes: Iterable[str] = SCOPES) -> Client:
        """The same application for another viewer."""
        return Client(self.http, self.settings, self.statements, account, subject, frozenset(scopes))

    @cached_property
    def token(self) -> str:
        """A token for an hour, the same for all requests, so that its actor is looked up once."""
        return mint(
            self.settings,
            account=self.account,
            subject=self.subject,
            scopes=sorted(self.scopes),
            expires_in=timedelta(hours=1),
        )

    @property
    def headers(self) -> dict[str, str]:
        """What every request sends."""
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, document: str, /, **variables: Any) -> httpx.Response:
        """The response to a document."""
        body = json.dumps({"query": document, "variables": variables})
        return await self.http.post(
            "/graphql", content=body, headers=self.headers | {"Content-Type": "application/json"}
        )

    async def answer(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """The whole answer to a document: data, errors and all."""
        answer: dict[str, Any] = (await self.post(document, **variables)).json()
        return answer

    async def data(self, document: str, /, **variables: Any) -> Any:
        """The data of an answer that has no errors."""
        answer = await self.answer(document, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def error(self, document: str, /, **variables: Any) -> tuple[str, str]:
        """Code and message of an answer's only error."""
        answer = await self.answer(document, **variables)
        (error,) = answer["errors"]
        return error["extensions"]["code"], error["message"]
