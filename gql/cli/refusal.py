"""The error of a command that cannot be carried out, for reasons that are no defect."""

from __future__ import annotations


class CommandError(Exception):
    """Each of `lines` is printed as a line of its own; `code` is the exit code."""

    def __init__(self, *lines: str, code: int = 1) -> None:
        super().__init__(*lines)
        self.lines = lines
        self.code = code
