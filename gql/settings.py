"""What can be configured. The only reader of the environment; everything else is handed this object."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic import field_validator


class Settings(BaseSettings):
    """Read from `INBOX_…` (and `DATABASE_URL`) when made; frozen afterwards. The README's table lists each field."""

    model_config = SettingsConfigDict(env_prefix="INBOX_", frozen=True, extra="ignore")

    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("database_url", "DATABASE_URL"),
        description="PostgreSQL 14 or newer, `postgresql://…`; without it, the embedded server",
    )
    data: Path = Field(default=Path(".data"), description="Folder of the embedded server and the demo's key")
    pool_size: int = Field(
        default=10, ge=1, description="Connections for reading, and as many for writing, per process"
    )
    jwt_secret: SecretStr | None = Field(default=None, description="Key of HS256 tokens, 32 bytes or more")
    jwks: str | None = Field(default=None, description="JWKS of RS256 and ES256 tokens: a file or an https URL")
    jwt_audience: str = Field(default="inbox-graphql", description="The `aud` that a token must have")
    jwt_issuer: str | None = Field(default=None, description="The `iss` that a token must have; any where not set")
    graphiql: bool = Field(default=False, description="Serve GraphiQL on `/graphql` to browsers; `inbox demo` does")
    max_body: int = Field(default=262_144, ge=1, description="Bytes of a request's body")
    max_tokens: int = Field(default=5_000, ge=1, description="Tokens of a document")
    operation_timeout: float = Field(default=10.0, gt=0, description="Seconds that an operation may take")
    document_cache: int = Field(default=1_000, ge=1, description="Parsed and validated documents kept, per process")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins of browser apps, separated by commas"
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
