"""Helpers for tests of GraphiQL in a browser."""

from __future__ import annotations

import json
import shutil
from typing import Any

import anyio
import pytest
from playwright.async_api import Page, expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_HOST_BUT_OURS = [
    "--no-sandbox",  # Required for root in a container.
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

ANSWER = ".result-window"


async def text(page: Page, pane: str) -> str:
    return str(await page.locator(f"{pane} .CodeMirror").evaluate("element => element.CodeMirror.getValue()"))


async def until(page: Page, condition: str) -> None:
    """Wait in the page for a JavaScript condition; Playwright's function needs `unsafe-eval`."""
    with anyio.fail_after(10):
        await page.evaluate(
            f"new Promise(done => {{ const look = () => {condition} ? done() : setTimeout(look, 50); look(); }})"
        )


async def run(page: Page) -> Any:
    """Press the run button and read the response."""
    await page.get_by_role("button", name="Execute query").click()
    await expect(page.locator(ANSWER)).to_contain_text("data")
    return json.loads(await text(page, ANSWER))


async def select(page: Page, operation: str) -> None:
    """Select a tab, and wait until GraphiQL, which reads the operation's name some time later, would run it."""
    await page.get_by_role("button", name=operation, exact=True).click()
    await until(page, f"localStorage['inbox:graphiql:operationName'] === '{operation}'")
