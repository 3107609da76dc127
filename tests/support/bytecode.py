"""Lets Python keep compiled modules during the tests, although the environment forbids it.

Images of Python often set PYTHONDONTWRITEBYTECODE. Then each process compiles all modules anew, which takes longer than
the rest of its start. The tests start about a hundred processes. pytest loads this plugin before `conftest.py`, so the
first process stores what it compiles, and all others load it.
"""

from __future__ import annotations

import os
import sys

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Store compiled modules, in this process and in those that it starts."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
