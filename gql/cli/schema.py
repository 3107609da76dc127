"""`inbox schema`."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer

from db.refusal import OperatorError
from gql.schema import build_schema

app = typer.Typer(add_completion=False)


@app.command()
def schema_command(
    path: Annotated[Path, typer.Argument(help="The file.")] = Path("schema.graphql"),
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where it differs.")] = False,
) -> None:
    """Write the schema to a file, or compare it."""
    text = build_schema().as_str().rstrip() + "\n"
    if not check:
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    written = path.read_text(encoding="utf-8")
    for line in unified_diff(written.splitlines(), text.splitlines(), str(path), "the schema now", lineterm=""):
        typer.echo(line)
    if written != text:
        raise OperatorError(f"{path} is not the schema: write it with `inbox schema`")
