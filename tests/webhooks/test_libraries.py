"""Receivers verify requests with the libraries of Standard Webhooks: PyPI's and npm's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gql.webhooks.signature import headers
from tests.support.delivering import KEYS, OLD_WHSEC, WHSEC

# Takes a secret, the headers and the body.
Verify: TypeAlias = Callable[[str, dict[str, str], str], object]

NODE = shutil.which("node")
PACKAGES = Path(os.environ.get("CLIENT_PACKAGES") or Path(__file__).parents[2] / ".cache/clients").absolute()
PROGRAM = Path(__file__).with_name("verify.mjs")
BODY = '{"type":"MESSAGE_CREATED","data":{"text":"Zoë 🗝"}}'
ID = "msg_0123456789abcdef0123456789abcdef"
OTHER = f"{WHSEC[:-3]}AA="


def by_python(secret: str, signed: dict[str, str], body: str) -> object:
    """The verified payload, or the name of the error."""
    try:
        return Webhook(secret).verify(body, signed)
    except WebhookVerificationError as error:
        return type(error).__name__


def by_node(secret: str, signed: dict[str, str], body: str) -> object:
    """The same."""
    if NODE is None or not (PACKAGES / "node_modules/standardwebhooks").exists():
        pytest.skip("needs Node.js, and npm packages in .cache/clients")
    done = subprocess.run(  # noqa: S603  # Node's own path
        [NODE, PROGRAM, secret],
        input=json.dumps({"headers": signed, "body": body}),
        env={"PACKAGES": str(PACKAGES), "PATH": os.environ["PATH"]},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("verify", [by_python, by_node])
def test_a_library_accepts_each_of_the_secrets_and_nothing_else(verify: Verify) -> None:
    now = int(time.time())
    signed = headers(KEYS, ID, now, BODY.encode())
    payload = json.loads(BODY)

    assert verify(WHSEC, signed, BODY) == payload
    assert verify(OLD_WHSEC, signed, BODY) == payload
    refused = {
        "another secret": verify(OTHER, signed, BODY),
        "another body": verify(WHSEC, signed, BODY.replace("Zoë", "Eva")),
        "another id": verify(WHSEC, signed | {"webhook-id": "msg_1"}, BODY),
        "another time": verify(WHSEC, signed | {"webhook-timestamp": str(now - 1)}, BODY),
        "too old": verify(WHSEC, headers(KEYS, ID, now - 3_600, BODY.encode()), BODY),
    }
    assert set(refused.values()) == {"WebhookVerificationError"}
