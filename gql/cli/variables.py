"""The settings in the help of a command."""

from __future__ import annotations

from typing import Any

from rich.box import ROUNDED
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from typer.core import TyperCommand

from gql.settings import Settings, variable


class ShowsVariables(TyperCommand):
    """A command whose help also lists the environment variables of the settings."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the command's own help, then the variables."""
        super().format_help(ctx, formatter)
        table = Table.grid(padding=(0, 2))
        for field, info in Settings.model_fields.items():
            default = "" if info.default in (None, ()) else f"[dim](default {str(info.default).lower()})[/]"
            table.add_row(f"[bold cyan]{variable(field)}[/]", f"{info.description} {default}".rstrip())
        panel = Panel(table, title="Environment variables", title_align="left", border_style="dim", box=ROUNDED)
        Console().print(panel)
