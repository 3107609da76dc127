"""A GraphQL client of an application in the same process, over HTTP like a front end."""

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
# A key that encrypts the secrets of webhooks.
FERNET_KEY = "a2V5IG9mIHRlc3RzLCBleGFjdGx5IDMyIGJ5dGVzISE="


def make_settings(dsn: str, **overrides: Any) -> Settings:
    """The settings of a test's application."""
    values: dict[str, Any] = {"database_url": dsn, "jwt_secret": SECRET, "pool_size": 4, "introspection": True}
    values["secret_key"] = FERNET_KEY
    # Off, because statements are slow on a busy machine. Tests of this limit set it.
    values["rate_seconds"] = 0
    # Off, because removing old changes would run additional statements during tests that count them.
    values["changes_days"] = 0
    return Settings(**values | overrides)


@dataclass
class Statements:
    """The SQL statements since the last `take`, without those that begin and end transactions."""

    sql: list[str] = field(default_factory=list)
    begun: int = 0
    """The transactions for reading that began."""

    def add(self, sql: str) -> None:
        """Remember a statement, unless it sets up or tries a connection, or announces a commit."""
        first, *_ = sql.split(None, 1)
        self.begun += first == "BEGIN"
        # The connection that listens is tried by an empty SELECT from time to time, as a slow test notices.
        ends = first.upper().strip(";") in {"BEGIN", "COMMIT", "ROLLBACK", ""} or sql == "SELECT"
        others = ("typeinfo_tree", "'jit'", "$1::bigint[], $2::varchar[]", "pg_notify", "LISTEN ", "PREPARE ")
        if not ends and not any(mark in sql for mark in others):
            self.sql.append(sql)

    def take(self) -> list[str]:
        """Return and forget the recorded statements."""
        taken, self.sql = self.sql, []
        return taken


@dataclass
class Client:
    """The client of one viewer. `as_` makes one for another viewer of the same application."""

    http: httpx.AsyncClient
    settings: Settings
    statements: Statements
    account: int = 1
    subject: str = "user:1"
    scopes: frozenset[str] = SCOPES

    def as_(self, account: int, subject: str = "user:1", scopes: Iterable[str] = SCOPES) -> Client:
        """A client of the same application for another viewer."""
        return Client(self.http, self.settings, self.statements, account, subject, frozenset(scopes))

    @cached_property
    def token(self) -> str:
        """A token for one hour, used in all requests, so that its actor is looked up once."""
        return mint(
            self.settings,
            account=self.account,
            subject=self.subject,
            scopes=sorted(self.scopes),
            expires_in=timedelta(hours=1),
        )

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, document: str, /, **variables: Any) -> httpx.Response:
        """The response to a document."""
        body = json.dumps({"query": document, "variables": variables})
        return await self.http.post(
            "/graphql", content=body, headers=self.headers | {"Content-Type": "application/json"}
        )

    async def answer(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """The whole JSON response to a document."""
        answer: dict[str, Any] = (await self.post(document, **variables)).json()
        return answer

    async def data(self, document: str, /, **variables: Any) -> Any:
        """The data of a response without errors."""
        answer = await self.answer(document, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def error(self, document: str, /, **variables: Any) -> tuple[str, str]:
        """Code and message of the response's only error."""
        answer = await self.answer(document, **variables)
        (error,) = answer["errors"]
        return error["extensions"]["code"], error["message"]
