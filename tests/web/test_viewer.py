"""The field `viewer`."""

from __future__ import annotations

import pytest

from gql.security.token import SCOPES
from tests.support.client import Client

pytestmark = pytest.mark.anyio


async def test_a_user_sees_who_they_are(reader: Client) -> None:
    data = await reader.data(
        "{ viewer { account { databaseId } scopes actor { __typename ... on User { databaseId } }"
        " host { databaseId } } }"
    )

    assert data == {
        "viewer": {
            "account": {"databaseId": "1"},
            "scopes": sorted(SCOPES),
            "actor": {"__typename": "User", "databaseId": "1"},
            "host": {"databaseId": "1"},
        }
    }


async def test_an_application_has_no_host(reader: Client) -> None:
    data = await reader.as_(1, "application:1", ["inbox_read"]).data(
        "{ viewer { scopes actor { __typename ... on Application { databaseId } } host { databaseId } } }"
    )

    assert data == {
        "viewer": {
            "scopes": ["inbox_read"],
            "actor": {"__typename": "Application", "databaseId": "1"},
            "host": None,
        }
    }
