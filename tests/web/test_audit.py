"""Runs the audits of the npm package `graphql-http` for the GraphQL-over-HTTP specification against a real server.

They run if Node.js and the package are installed:
`npm install --prefix .cache/audit --no-package-lock graphql-http graphql@16`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.serving import LiveServer

NODE = shutil.which("node")
PACKAGES = Path(os.environ.get("AUDIT_PACKAGES") or Path(__file__).parents[2] / ".cache/audit").absolute()
PROGRAM = Path(__file__).with_name("audit.mjs")


@pytest.mark.skipif(NODE is None, reason="needs Node.js")
@pytest.mark.skipif(
    not (PACKAGES / "node_modules/graphql-http").exists(), reason="needs the npm package graphql-http in .cache/audit"
)
def test_every_audit_is_ok(live_server: LiveServer) -> None:
    audit = subprocess.run(  # noqa: S603
        [str(NODE), PROGRAM, f"{live_server.url}/graphql"],
        env=os.environ | {"AUDIT_PACKAGES": str(PACKAGES), "TOKEN": live_server.token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert audit.returncode == 0, audit.stderr

    results = json.loads(audit.stdout)

    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61
