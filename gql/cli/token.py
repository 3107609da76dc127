"""`inbox token`. It imports neither the database nor the schema, because it needs neither."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar

import typer

from db.refusal import OperatorError
from gql.cli.key import read_key
from gql.security.token import MAX_ID, SCOPES, granted, mint, parse_duration
from gql.settings import Settings, variable

_T = TypeVar("_T")

app = typer.Typer(add_completion=False)


@app.command()
def token_command(
    account: Annotated[int, typer.Option(min=1, max=MAX_ID, metavar="ID", help="The account it is for.")] = 1,
    user: Annotated[
        int | None, typer.Option(min=1, max=MAX_ID, metavar="ID", help="The user who acts.", show_default="1")
    ] = None,
    application: Annotated[
        int | None, typer.Option(min=1, max=MAX_ID, metavar="ID", help="Or the application that acts.")
    ] = None,
    scopes: Annotated[str, typer.Option(help="What it allows, separated by spaces.")] = " ".join(sorted(SCOPES)),
    expires_in: Annotated[str, typer.Option(help="How long it is valid: 90s, 30m, 1h, 7d.")] = "1h",
) -> None:
    """Print a signed token. It is signed with INBOX_JWT_SECRET or, without it, with the demo's key."""
    if user is not None and application is not None:
        raise typer.BadParameter("a token is for one of both", param_hint="--user and --application")
    subject = f"user:{user or 1}" if application is None else f"application:{application}"
    granted_scopes = _checked("--scopes", scopes, granted)
    lifetime = _checked("--expires-in", expires_in, parse_duration)
    typer.echo(_mint(Settings(), account, subject, granted_scopes, lifetime))


def _mint(settings: Settings, account: int, subject: str, scopes: frozenset[str], lifetime: timedelta) -> str:
    if settings.jwt_secret is None:
        key = read_key(settings.data)
        if key is None:
            raise OperatorError(
                f"There is no key to sign with: set {variable('jwt_secret')}, or start `inbox demo`, which makes one"
            )
        settings = settings.model_copy(update={"jwt_secret": key})
    return mint(settings, account=account, subject=subject, scopes=sorted(scopes), expires_in=lifetime)


def _checked(option: str, text: str, parse: Callable[[str], _T]) -> _T:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
