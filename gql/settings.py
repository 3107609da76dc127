"""The settings, read from the environment. No other module reads it: others are given this object."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from db.refusal import OperatorError

PREFIX = "INBOX_"
# An Origin header of a browser: scheme, host and port in lower case. The scheme can be that of a mobile app.
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?")
_UNPREFIXED = {"database_url": "DATABASE_URL"}
# Options of libpq that asyncpg does not support. It would send them to the server, which would reject the connection.
_ONLY_LIBPQ = frozenset({
    *("channel_binding", "connect_timeout", "fallback_application_name", "gssencmode", "hostaddr", "keepalives"),
    *("keepalives_count", "keepalives_idle", "keepalives_interval", "load_balance_hosts", "replication"),
    *("require_auth", "requirepeer", "sslcertmode", "sslcompression", "sslsni", "tcp_user_timeout"),
})  # fmt: skip
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
# Kubernetes sets such variables in every container for a service with the name `inbox`. They are not settings.
_OF_KUBERNETES = re.compile(rf"{PREFIX}(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")


class ConfigurationError(OperatorError):
    """The settings cannot work."""


class Settings(BaseSettings):
    """Read from `INBOX_…` and `DATABASE_URL`, and immutable. `.github/docs/configuration.md` lists each field.

    An empty variable counts as not set. Error messages never contain a value, because it may be a secret.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: str | None = Field(
        default=None,
        # The name of the field comes first, so that an argument of Settings overrides the environment.
        validation_alias=AliasChoices("database_url", _UNPREFIXED["database_url"]),
        description="PostgreSQL 14 or newer, `postgresql://…`; without it, the embedded server",
        repr=False,
    )
    listen_url: str | None = Field(
        default=None,
        description="PostgreSQL itself, where `DATABASE_URL` is a pooler: for the connection that listens for changes; "
        "without it, they are looked for each second",
        repr=False,
    )
    data: Path = Field(default=Path(".data"), description="Folder of the embedded server and the demo's key")
    pool_size: int = Field(
        default=10, ge=1, description="Connections for reading, as many for writing, and two more, per process"
    )
    pooler: Literal["transaction"] | None = Field(
        default=None, description="`transaction` if `DATABASE_URL` leads to a pooler in this mode, such as PgBouncer"
    )
    jwt_secret: SecretStr | None = Field(default=None, description="Key of HS256 tokens, 32 bytes or more")
    secret_key: SecretStr | None = Field(
        default=None,
        description="Keys for the secrets of webhooks, each 32 bytes in URL-safe base64, separated by commas. The "
        "first encrypts",
    )
    webhook_ports: str = Field(
        default="80,443,8000-9000", description="Ports that webhooks may have, and ranges of them, separated by commas"
    )
    webhook_loopback: bool = Field(
        default=False,
        description="Let webhooks lead to this machine, over http and on any port, for development; `inbox demo` does",
    )
    webhook_at_once: int = Field(
        default=512, ge=8, description="Attempts to deliver webhooks that run at once, per process that delivers"
    )
    webhook_days: int = Field(
        default=30, ge=0, le=36_500, description="Days for which deliveries of webhooks are kept. 0 keeps all"
    )
    work: bool = Field(
        default=False, description="Deliver webhooks in the processes of `inbox serve` too; `inbox serve --work` does"
    )
    jwks: str | None = Field(default=None, description="JWKS of RS256 and ES256 tokens: a file or an https URL")
    jwt_audience: str = Field(default="inbox-graphql", description="Value that a token's `aud` must have")
    jwt_issuer: str | None = Field(default=None, description="Value that a token's `iss` must have; without it, any")
    graphiql: bool = Field(default=False, description="Serve GraphiQL on `/graphql` to browsers; `inbox demo` does")
    metrics: bool = Field(
        default=False,
        description="Serve counters on `/metrics` in Prometheus' text format, without a token: plan fallbacks, masked "
        "errors, write retries, failures of background tasks, subscriptions",
    )
    max_body: int = Field(default=524_288, ge=1, description="Bytes of a request's body")
    max_json_depth: int = Field(
        default=100,
        ge=10,
        le=500,
        description="Levels of nested JSON in a request and in an imported record",
    )
    max_tokens: int = Field(default=5_000, ge=1, description="Tokens of a document")
    max_depth: int = Field(default=12, ge=1, description="Levels of nested fields of an operation")
    max_aliases: int = Field(default=30, ge=0, description="Aliases of an operation")
    max_root_fields: int = Field(default=20, ge=1, description="Root fields of an operation")
    max_directives: int = Field(default=50, ge=0, description="Directives of an operation")
    max_cost: int = Field(default=20_000, ge=1, description="Nodes that an operation could return: its cost")
    max_response: int = Field(default=8_388_608, ge=1, description="Bytes of the data of a response")
    max_list: int = Field(default=250, ge=1, description="Items of a list in a query's arguments")
    rate_limit: int = Field(
        default=300_000,
        ge=0,
        le=2_147_483_647,
        description="Nodes per minute of each user or application; 0 disables this limit and that on seconds",
    )
    rate_seconds: float = Field(
        default=20.0,
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="Seconds per minute of each user or application, for statements and for long computations; 0 "
        "disables the limit",
    )
    rate_limit_url: SecretStr | None = Field(
        default=None,
        description="`redis://…`, to limit several processes together; without it, each process has its own limits",
    )
    changes_days: int = Field(
        default=30,
        ge=0,
        le=36_500,
        description="Days for which the change log keeps changes; older cursors need a resync. 0 keeps all",
    )
    max_connections: int = Field(
        default=800, ge=1, description="Connections of clients, per process, without WebSockets and event streams"
    )
    max_sockets: int = Field(
        default=5_000, ge=0, description="WebSockets and event streams, per process; 0 accepts none"
    )
    max_sockets_per_principal: int = Field(
        default=100, ge=1, description="WebSockets and event streams of each user or application, per process"
    )
    max_operations_per_socket: int = Field(default=50, ge=1, description="Operations at once on a WebSocket")
    socket_init_seconds: float = Field(
        default=5.0, gt=0, allow_inf_nan=False, description="Seconds in which a WebSocket must send `connection_init`"
    )
    socket_ping_seconds: float = Field(
        default=20.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds between two pings of a WebSocket, and for the answer to one",
    )
    max_running: int = Field(default=64, ge=1, description="Operations at once, per process")
    max_waiting: int = Field(default=256, ge=0, description="Operations that wait for their turn, per process")
    operation_timeout: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="Seconds that an operation may take"
    )
    document_cache: int = Field(
        default=1_000, ge=1, description="Parsed and validated documents in the cache, per process"
    )
    document_bytes: int = Field(default=67_108_864, ge=1, description="Bytes of memory that they occupy together")
    documents: Path | None = Field(
        default=None, description="Manifest of trusted documents, as Relay, Apollo or GraphQL Code Generator write it"
    )
    documents_mode: Literal["allow", "only"] = Field(
        default="allow", description="`only` executes no document but those of the manifest"
    )
    apq_cache: int = Field(default=1_000, ge=1, description="Automatic persisted queries in the cache, per process")
    apq_bytes: int = Field(default=4_194_304, ge=1, description="Bytes of memory that they occupy together")
    introspection: bool = Field(
        default=False, description="Answer introspection, and suggest names in errors; `inbox demo` does"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins of browser apps, such as `https://app.example`, separated by commas"
    )
    cors_headers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Headers that browser apps may send, separated by commas; without it, any"
    )
    compress: bool = Field(default=True, description="Compress answers of more than 1 kB for clients that accept gzip")

    @model_validator(mode="before")
    @classmethod
    def _knows_every_variable(cls, values: object) -> object:
        """Reject unknown variables with our prefix: otherwise a misspelt limit would silently not apply."""
        known = {variable(field) for field in cls.model_fields}
        given = {name.upper() for name, value in os.environ.items() if value}
        unknown = [name for name in sorted(given - known) if name.startswith(PREFIX)]
        if lines := [_suggest(name, known) for name in unknown if not _OF_KUBERNETES.fullmatch(name)]:
            raise ValueError("\n".join(lines))
        return values

    @field_validator("database_url", "listen_url")
    @classmethod
    def _names_postgresql(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        given = parse_qs(urlsplit(value).query) if value else {}
        if unsupported := sorted(_ONLY_LIBPQ & given.keys()):
            raise ValueError(f"does not support the option {', '.join(unsupported)}: leave it out")
        if "system" in given.get("sslrootcert", []):
            raise ValueError("does not support sslrootcert=system: name the file with the certificates")
        return value

    @field_validator("rate_limit_url")
    @classmethod
    def _names_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "redis+unix://")):
            raise ValueError("must start with redis://, rediss:// or redis+unix://")
        return value

    @field_validator("webhook_ports")
    @classmethod
    def _are_ports(cls, value: str) -> str:
        read_ports(value)
        return value

    @field_validator("cors_origins", "cors_headers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("must be origins with a scheme and without a path, such as https://app.example, or *")
        return value


def read_ports(text: str) -> tuple[range, ...]:
    """Parse ports and ranges of them, such as `443,8000-9000`. Raises ValueError for anything else."""
    ranges = []
    for part in text.split(","):
        match = _PORTS.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 0 < first <= last < 1 << 16:
            raise ValueError("must be ports from 1 to 65535, and ranges such as 8000-9000, separated by commas")
        ranges.append(range(first, last + 1))
    return tuple(ranges)


def variable(field: str) -> str:
    """The environment variable that `field` of the settings is read from."""
    return _UNPREFIXED.get(field, f"{PREFIX}{field.upper()}")


def explain(error: ValidationError) -> list[str]:
    """Describe what is wrong with the settings: a line for each variable, without the values."""
    return [line for wrong in error.errors(include_url=False, include_input=False) for line in _lines(wrong)]


def _lines(wrong: ErrorDetails) -> list[str]:
    message = wrong["msg"].removeprefix("Value error, ")
    # A message about the settings as a whole already names its variables.
    return [f"{variable(str(wrong['loc'][0]).lower())}: {message}"] if wrong["loc"] else message.splitlines()


def _suggest(name: str, known: set[str]) -> str:
    # Compared without the prefix, which would make any two names similar.
    names = {each.removeprefix(PREFIX): each for each in known}
    nearest = get_close_matches(name.removeprefix(PREFIX), names, n=1)
    return f"{name}: there is no such setting" + (f"; did you mean {names[nearest[0]]}?" if nearest else "")
