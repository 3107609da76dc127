"""GraphiQL uses no other host, does not store tokens, and cannot be framed, cached or modified.

Browser tests use the machine's Chromium, and are skipped without one. With `SCREENSHOT=.github/graphiql.png`, they
write the picture of the README.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import asyncpg
import httpx
import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import VariableValues, get_variable_values
from playwright.async_api import ConsoleMessage, Page, Route, async_playwright, expect
from starlette.applications import Starlette

from db.seed import seed
from gql.security.token import SCOPES, mint
from gql.settings import Settings
from gql.web.graphiql import graphiql_page, graphiql_routes
from tests.operations.documents import FOLDER
from tests.support.browser import ANSWER, CHROMIUM, NO_HOST_BUT_OURS, needs_chromium, run, select, text, until
from tests.support.client import make_settings
from tests.support.process import serving_processes
from tests.support.serving import LiveServer, live

pytestmark = pytest.mark.anyio

TOKEN = "a.demo.token"


# ------------------------------------------------------------------- over HTTP


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=graphiql_routes(Settings(graphiql=True)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inbox") as client:
        yield client


def html(token: str | None) -> str:
    return bytes(graphiql_page(token, introspection=True).body).decode()


def start(token: str | None) -> Any:
    """The input of the page's script."""
    found = re.search(r'<script type="application/json" id="start">(.*?)</script>', html(token), re.DOTALL)
    assert found
    return json.loads(found[1])


def linked() -> list[str]:
    return re.findall(r'(?:src|href)="([^"]*)"', html(None))


OPERATIONS = [
    *("OpenConversations", "ListTheInbox", "NextPage", "ReadTheThread", "FillThePickers", "SyncThePhone"),
    *("WaitingGuests", "Reply", "CloseConversation", "ConnectBookings", "FollowChanges"),
]
FOLLOWING = "FollowChanges"


async def test_everything_that_the_page_loads_is_served_forever(client: httpx.AsyncClient) -> None:
    types = {}
    for path in linked():
        answer = await client.get(f"/{path}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        head = await client.head(f"/{path}")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(answer.content))
        types[path.rpartition("/")[2]] = answer.headers["content-type"]
    assert types == {
        "react.production.min.js": "text/javascript; charset=utf-8",
        "react-dom.production.min.js": "text/javascript; charset=utf-8",
        "graphiql.min.js": "text/javascript; charset=utf-8",
        "graphiql-plugin-explorer.umd.js": "text/javascript; charset=utf-8",
        "page.js": "text/javascript; charset=utf-8",
        "graphiql.min.css": "text/css; charset=utf-8",
        "style.css": "text/css; charset=utf-8",
        "page.css": "text/css; charset=utf-8",
        "icon.svg": "image/svg+xml",
    }


async def test_a_file_is_found_by_its_own_hash_only(client: httpx.AsyncClient) -> None:
    path = linked()[0]
    directory, digest, name = path.split("/")
    for wrong in (f"{directory}/{'0' * len(digest)}/{name}", f"{directory}/{digest}/page.html", f"{directory}/{name}"):
        assert (await client.get(f"/{wrong}")).status_code == 404
    assert (await client.post(f"/{path}")).status_code == 405


def test_nothing_is_served_where_it_is_off() -> None:
    assert graphiql_routes(Settings(graphiql=False)) == []


def test_a_changed_file_of_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = "graphene_django_graphiql_static"
    shutil.copytree(str(files(package)), tmp_path / package)
    with (tmp_path / package / "static" / package / "graphiql.min.js").open("a") as script:
        script.write("\n")
    monkeypatch.setattr("gql.web.graphiql.files", lambda name: tmp_path / name)
    with pytest.raises(RuntimeError, match=r"GraphiQL is not served: graphiql\.min\.js .* has the SHA-256 "):
        graphiql_routes(Settings(graphiql=True))


def test_the_page_allows_nothing_from_elsewhere() -> None:
    headers = graphiql_page(TOKEN, introspection=True).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy.pop("style-src").startswith("'self' 'sha256-")
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "font-src": "data:",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_the_token_cannot_leave_its_block() -> None:
    token = '</script><script>alert("out")</script><!--'
    assert html(token).count("<script") == html(None).count("<script")
    assert start(token)["token"] == token


def test_without_a_token_the_field_is_empty() -> None:
    assert start(None)["token"] is None


def test_graphiql_without_introspection_is_warned_of_at_the_start(dsn: str, tmp_path: Path) -> None:
    with serving_processes(dsn, tmp_path, INBOX_GRAPHIQL="true") as quiet:
        warned = [json.loads(line)["event"] for line in quiet.lines]
    with serving_processes(dsn, tmp_path, INBOX_GRAPHIQL="true", INBOX_INTROSPECTION="true") as open_:
        assert [json.loads(line)["event"] for line in open_.lines] == ["serving"]

    assert warned == ["GraphiQL has no documentation and no completion: INBOX_INTROSPECTION is off", "serving"]


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((Path(__file__).parents[2] / "schema.graphql").read_text(encoding="utf-8"))


@pytest.mark.parametrize("tab", start(None)["tabs"], ids=OPERATIONS)
def test_an_example_is_valid_with_its_variables(tab: dict[str, str | None], schema: GraphQLSchema) -> None:
    document = parse(tab["query"] or "")
    assert validate(schema, document) == []
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    assert operation.name
    assert operation.name.value in OPERATIONS
    given = json.loads(tab["variables"] or "{}")
    assert isinstance(get_variable_values(schema, operation.variable_definitions or (), given), VariableValues)


# The screens whose documents are tested with their answers, by the names of the tabs that show them.
SCREENS = {
    "ListTheInbox": "list_of_conversations",
    "ReadTheThread": "thread_with_reply",
    "FillThePickers": "pickers_and_phone",
}


@pytest.mark.parametrize("name", SCREENS)
def test_a_tab_of_a_screen_is_the_tested_document(name: str) -> None:
    (tab,) = (tab["query"] for tab in start(None)["tabs"] if re.search(rf"query {name}\b", tab["query"]))
    tested = (FOLDER / "screens" / f"{SCREENS[name]}.graphql").read_text()

    # They differ in the comment at the top, in the name, and in the words that find something in the demo.
    bodies = [re.sub(r"\A(?:#.*\n)+query \w+", "", text) for text in (tab, tested)]
    fields = [re.sub(r'search: "\w+"', "search", body) for body in bodies]
    assert fields[0] == fields[1]


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def live_server(shared_dsn: str) -> Iterator[LiveServer]:
    """A server on a new seeded database, because the examples write."""
    asyncio.run(fill(shared_dsn))
    with live(shared_dsn) as server:
        yield server


async def fill(dsn: str) -> None:
    """Seed a database, with conversations that have no channel: in them, a reply to a guest has to name one."""
    connection = await asyncpg.connect(dsn)
    await seed(connection, accounts=1, conversations=120, seed=7, now=datetime.now(UTC))
    await connection.execute("UPDATE conversations SET default_channel = NULL")
    await connection.close()


def is_wrong(message: ConsoleMessage) -> bool:
    """Whether a console message reports a defect. Chromium also reports each request without a valid token."""
    return message.type in {"error", "warning"} and "401 (Unauthorized)" not in message.text


@pytest.fixture
async def page(live_server: LiveServer) -> AsyncIterator[Page]:
    """A page with a new profile that can reach only our server. Asserts that it tried no other, and had no errors."""
    ours, foreign, wrong = urlsplit(live_server.url).netloc, [], []

    async def only_ours(route: Route) -> None:
        if urlsplit(route.request.url).netloc == ours:
            await route.continue_()
        else:
            foreign.append(route.request.url)
            await route.abort()

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=NO_HOST_BUT_OURS)
        page = await browser.new_page(viewport={"width": 1400, "height": 900})
        await page.route("**/*", only_ours)
        # Violations of the content security policy are errors on the console.
        page.on("console", lambda message: wrong.append(message.text) if is_wrong(message) else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        await page.goto(f"{live_server.url}/graphql")
        yield page
        await browser.close()
    assert foreign == []
    assert wrong == []


WRITE = """mutation ($there: ID!, $content: String!) {
  createMessage(input: {conversationId: $there, content: $content, visibility: INTERNAL}) { userErrors { message } }
}"""
QUERY = ".graphiql-query-editor"
SHOWN_TOOL = ".graphiql-editor-tool .graphiql-editor:not(.hidden)"


@needs_chromium
async def test_a_nested_query_is_answered_on_the_page(page: Page, live_server: LiveServer) -> None:
    answer = await run(page)
    conversations = answer["data"]["conversations"]
    assert conversations["totalCount"] >= len(conversations["nodes"]) == 5
    assert {"bookings", "messages", "assignee", "source"} < set(conversations["nodes"][0])
    members = [message["sender"]["member"] for node in conversations["nodes"] for message in node["messages"]["nodes"]]
    assert {member["__typename"] for member in members} <= {"Client", "Host"}
    assert members

    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {live_server.token}"}) as client:
        direct = await client.post(f"{live_server.url}/graphql", json={"query": await text(page, QUERY)})
    assert answer == direct.json()
    if path := os.environ.get("SCREENSHOT"):
        await page.screenshot(path=path)


@needs_chromium
async def test_the_schema_is_shown_and_dialogs_open(page: Page) -> None:
    await page.get_by_role("button", name="Show Documentation Explorer").click()
    await page.get_by_role("link", name="Query", exact=True).click()
    await expect(page.locator(".graphiql-doc-explorer")).to_contain_text("conversations")
    await page.get_by_role("button", name="Show GraphiQL Explorer").click()
    await page.locator(".graphiql-explorer-root").get_by_text("closedAt", exact=True).first.click()
    await until(page, f"document.querySelector('{QUERY} .CodeMirror').CodeMirror.getValue().includes('closedAt')")
    for dialog in ("Open short keys dialog", "Open settings dialog"):
        await page.get_by_role("button", name=dialog).click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")


@needs_chromium
async def test_each_example_runs_as_it_comes_with_its_variables_in_sight(page: Page) -> None:
    for name, tab in zip(OPERATIONS, start(None)["tabs"], strict=True):
        if name == FOLLOWING:
            continue  # It has an answer when something is written.
        await select(page, name)
        assert await text(page, QUERY) == tab["query"]
        shown = await text(page, SHOWN_TOOL)
        assert json.loads(shown or "{}").keys() == json.loads(tab["variables"] or "{}").keys()
        assert "'s id" not in shown
        answer = await run(page)
        assert "errors" not in answer, name
        payloads = [field for field in answer["data"].values() if isinstance(field, dict)]
        assert [payload.get("userErrors", []) for payload in payloads] == [[]] * len(payloads)


@needs_chromium
@pytest.mark.parametrize(("width", "height"), [(1400, 900), (390, 844)], ids=["desktop", "phone"])
async def test_a_subscription_shows_a_message_that_is_sent_meanwhile(
    page: Page, live_server: LiveServer, width: int, height: int
) -> None:
    await page.set_viewport_size({"width": width, "height": height})
    await select(page, FOLLOWING)
    headers = {"Authorization": f"Bearer {live_server.token}"}
    async with httpx.AsyncClient(base_url=live_server.url, headers=headers) as client:
        found = (await client.post("/graphql", json={"query": "{ conversations(first: 1) { nodes { id } } }"})).json()
        variables = {
            "there": found["data"]["conversations"]["nodes"][0]["id"],
            "content": f"Are there towels? ({width})",
        }
        await page.get_by_role("button", name="Execute query").click()
        with anyio.fail_after(30):
            while variables["content"] not in await text(page, ANSWER):
                written = (await client.post("/graphql", json={"query": WRITE, "variables": variables})).json()
                assert written["data"]["createMessage"]["userErrors"] == []
                await anyio.sleep(0.2)
    shown = json.loads(await text(page, ANSWER))["data"]["changes"]
    assert ("MESSAGE", "UPSERTED") in [(change["type"], change["operation"]) for change in shown["changes"]]
    await page.get_by_role("button", name="Stop query").click()


@needs_chromium
async def test_one_token_serves_all_tabs_and_is_asked_for_where_it_is_needed(
    page: Page, live_server: LiveServer
) -> None:
    field, status = page.get_by_label("Token", exact=True), page.locator("#status")
    await expect(status).to_be_empty()

    await field.fill("")
    await field.press("Enter")
    await expect(status).to_have_text("Operations need a token. `inbox token` prints one.")
    await field.fill("nonsense")
    await field.press("Enter")
    await expect(status).to_have_text("The server rejects this token. `inbox token` prints a new one.")
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1_000_000_000}).encode()).decode()
    await field.fill(f"head.{claims}.signature")
    await field.press("Enter")
    await expect(status).to_have_text("The token has expired. `inbox token` prints a new one.")

    await field.fill(live_server.token)
    await field.press("Enter")
    await expect(status).to_be_empty()
    for name in ("NextPage", "WaitingGuests"):
        await select(page, name)
        assert "data" in await run(page)


@needs_chromium
async def test_a_token_that_is_given_later_fills_the_examples(page: Page, live_server: LiveServer) -> None:
    async def without_token(route: Route) -> None:
        response = await route.fetch()
        await route.fulfill(response=response, body=(await response.text()).replace(f'"{live_server.token}"', "null"))

    await page.evaluate("localStorage.clear()")
    await page.route(f"{live_server.url}/graphql", without_token)
    await page.goto(f"{live_server.url}/graphql")
    await select(page, "NextPage")
    await page.locator(f"{QUERY} .CodeMirror").evaluate(
        "element => element.CodeMirror.setValue('query Mine { viewer { scopes } }')"
    )
    await until(page, "localStorage['inbox:graphiql:tabState']?.includes('Mine')")
    await select(page, "Reply")
    assert "a conversation's id" in await text(page, SHOWN_TOOL)

    await page.get_by_label("Token", exact=True).fill(live_server.token)
    await page.keyboard.press("Enter")
    await until(page, "!localStorage['inbox:graphiql:tabState'].includes(\"'s id\")")
    tabs = page.get_by_role("tab").locator("button:first-child")
    await expect(tabs).to_have_text([*OPERATIONS[:2], "Mine", *OPERATIONS[3:]])
    for name in ("Reply", "CloseConversation", "ConnectBookings"):
        await select(page, name)
        assert "'s id" not in await text(page, SHOWN_TOOL)
        assert [field.get("userErrors", []) for field in (await run(page))["data"].values()] == [[]]


@needs_chromium
async def test_the_reply_of_an_application_has_a_sender_and_no_channel_if_the_conversation_has_one(
    page: Page, live_server: LiveServer, shared_dsn: str
) -> None:
    connection = await asyncpg.connect(shared_dsn)
    await connection.execute("UPDATE conversations SET default_channel = 'AIRBNB'")
    await connection.close()
    claims: dict[str, Any] = {"account": 1, "subject": "application:1", "scopes": sorted(SCOPES)}
    token = mint(make_settings(shared_dsn), **claims, expires_in=timedelta(1))

    async def with_token(route: Route) -> None:
        response = await route.fetch()
        await route.fulfill(response=response, body=(await response.text()).replace(live_server.token, token))

    await page.evaluate("localStorage.clear()")
    await page.route(f"{live_server.url}/graphql", with_token, times=1)
    await page.goto(f"{live_server.url}/graphql")
    await select(page, "Reply")
    given = json.loads(await text(page, SHOWN_TOOL))["input"]
    assert given.keys() == {"conversationId", "senderId", "content", "idempotencyKey"}
    assert (await run(page))["data"]["createMessage"]["userErrors"] == []


@needs_chromium
async def test_on_a_phone_the_panes_lie_below_each_other(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await run(page)
    query, answer = [await page.locator(pane).bounding_box() for pane in (QUERY, ANSWER)]

    assert query
    assert answer
    assert answer["y"] >= query["y"] + query["height"]
    assert (query["width"] > 300, answer["width"] > 340) == (True, True)
    assert (query["height"] > 180, answer["height"] > 300) == (True, True)
    assert answer["y"] + answer["height"] <= 844
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


@needs_chromium
async def test_edits_outlive_the_page_and_its_token_does_not(page: Page, live_server: LiveServer) -> None:
    await run(page)
    await select(page, "NextPage")
    await page.locator(f"{QUERY} .CodeMirror").evaluate(
        "element => element.CodeMirror.setValue('query Mine { viewer { scopes } }')"
    )
    await until(page, "localStorage['inbox:graphiql:tabState']?.includes('Mine')")
    assert live_server.token not in await page.evaluate("JSON.stringify(localStorage)")

    # As if the browser had stored headers for an earlier version of this page.
    await page.evaluate(
        """() => {
            const key = "inbox:graphiql:tabState", state = JSON.parse(localStorage[key]);
            state.tabs.forEach(tab => { tab.headers = '{"Authorization": "Bearer old"}'; });
            localStorage[key] = JSON.stringify(state);
            localStorage["inbox:graphiql:headers"] = '{"Authorization": "Bearer old"}';
        }"""
    )
    await page.reload()
    tabs = page.get_by_role("tab").locator("button:first-child")
    await expect(tabs).to_have_text([*OPERATIONS[:2], "Mine", *OPERATIONS[3:]])
    await page.get_by_role("button", name="Headers", exact=True).click()
    for tab in await tabs.all():
        await tab.click()
        assert await text(page, SHOWN_TOOL) == ""
    await select(page, "Mine")
    assert await text(page, QUERY) == "query Mine { viewer { scopes } }"
    assert "data" in await run(page)
