"""The error of what the person at the terminal has to put right. It stands alone, so that a command imports no more."""

from __future__ import annotations


class OperatorError(Exception):
    """The server or a command cannot do its work. The message is one line and says what to do; `code` is the exit code.

    Only what somebody catches apart has a subclass.
    """

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
