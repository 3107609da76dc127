"""The README and the pages under `.github/docs` agree with the code. `test_settings` compares the table of settings."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from datetime import datetime
from inspect import Parameter, signature
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import jwt
import pytest
from graphql import GraphQLInputObjectType, GraphQLNamedType, GraphQLObjectType, build_schema, parse, validate

from gql.cli import COMMANDS, load
from gql.cli.demo import _announce
from gql.fields import column, computed, end, many, node, one
from gql.security.token import IMPLIED, SCOPES
from tests.support.client import Client
from tests.support.factories import store, store_account
from tests.support.following import Follower, create, listening

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / ".github/docs").glob("*.md")))
MAX_LINES = 220
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
DOCUMENTS = {text.split()[1].partition("(")[0]: text for language, text in BLOCKS if language == "graphql"}
SHELL = [text.strip() for language, text in BLOCKS if language != "graphql"]
SCHEMA = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
# Paths in the repository, with any text around them.
PATH = re.compile(r"(?<![\w./])(?:(?:gql|db|tests|\.github|\.ci)/[\w./<>-]*[\w/]|schema\.graphql)")


def section(title: str) -> str:
    """The text below a heading of the README or of a page."""
    return f"{README}\n{PAGES}".partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def required(element: Any) -> set[str]:
    """The scopes that a type or a field of the schema requires."""
    directives = [each for each in element.ast_node.directives or () if each.name.value == "requiresScopes"]
    return {scope.value for each in directives for scope in each.arguments[0].value.values}


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(README.splitlines()) <= MAX_LINES


def test_every_page_is_linked_and_every_link_leads_to_a_page_and_a_heading() -> None:
    pages = {f".github/docs/{page.name}" for page in (ROOT / ".github/docs").glob("*.md")}
    linked = re.findall(r"\]\((\.github/docs/[\w-]+\.md)(?:#([\w-]+))?\)", README)

    assert {page for page, _ in linked} == pages
    for page, anchor in linked:
        headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}


# The examples


def test_the_examples_are_five() -> None:
    assert list(DOCUMENTS) == ["Open", "Next", "Close", "Waiting", "Reply"]


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_an_example_is_valid(document: str) -> None:
    assert validate(SCHEMA, parse(document)) == []


@pytest.mark.anyio
async def test_the_first_query_returns_open_conversations(reader: Client, seeded_dsn: str) -> None:
    page = (await reader.data(DOCUMENTS["Open"]))["conversations"]

    connection = await asyncpg.connect(seeded_dsn)
    wanted = await connection.fetch(
        """
        SELECT subject, array(
            SELECT reference FROM bookings JOIN conversation_bookings AS link
            ON link.account_id = bookings.account_id AND link.booking_id = bookings.id
            WHERE link.account_id = conversations.account_id AND link.conversation_id = conversations.id
            ORDER BY bookings.id
        ) AS stays, array(
            SELECT content FROM messages
            WHERE messages.account_id = conversations.account_id AND messages.conversation_id = conversations.id
            ORDER BY sent_at DESC, id DESC LIMIT 1
        ) AS last
        FROM conversations WHERE account_id = 1 AND closed_at IS NULL AND marked_as_spam_at IS NULL
        ORDER BY last_message_at DESC NULLS LAST, id DESC
        """
    )
    await connection.close()
    shown = [
        {
            "subject": conversation["subject"],
            "stays": [booking["reference"] for booking in conversation["bookings"]["nodes"]],
            "last": [message["content"] for message in conversation["messages"]["nodes"]],
        }
        for conversation in page["nodes"]
    ]
    assert shown == [dict(row) for row in wanted[:2]]
    assert page["totalCount"] == len(wanted) > 2
    assert page["pageInfo"]["hasNextPage"]


@pytest.mark.anyio
async def test_the_pages_after_each_other_show_every_conversation_once(reader: Client, seeded_dsn: str) -> None:
    shown: list[dict[str, str]] = []
    sizes: list[int] = []
    info: dict[str, Any] = {"endCursor": None, "hasNextPage": True}
    while info["hasNextPage"] and len(sizes) < 10:
        page = (await reader.data(DOCUMENTS["Next"], after=info["endCursor"]))["conversations"]
        sizes.append(len(page["nodes"]))
        shown += page["nodes"]
        info = page["pageInfo"]

    connection = await asyncpg.connect(seeded_dsn)
    wanted = await connection.fetch("SELECT id FROM conversations WHERE account_id = 1 ORDER BY updated_at, id")
    await connection.close()
    assert sizes == [50, 50, 20]
    assert [conversation["databaseId"] for conversation in shown] == [str(row["id"]) for row in wanted]


@pytest.mark.anyio
async def test_the_first_mutation_closes_a_conversation_once(client: Client, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    number = await store(connection, "conversations", account_id=1)
    find = "query($number: BigInt!) { conversation(databaseId: $number) { id closed } }"
    open_ = (await client.data(find, number=number))["conversation"]
    assert not open_["closed"]

    answer = (await client.data(DOCUMENTS["Close"], id=open_["id"]))["updateConversation"]
    again = (await client.data(DOCUMENTS["Close"], id=open_["id"]))["updateConversation"]

    stored = await connection.fetchrow("SELECT closed_at, updated_at FROM conversations WHERE id = $1", number)
    assert again == answer
    conversation = answer["conversation"]
    moments = [datetime.fromisoformat(conversation.pop(field)) for field in ("closedAt", "updatedAt")]
    assert answer == {"conversation": {"id": open_["id"], "closed": True}, "userErrors": []}
    assert moments == [*stored]


@pytest.mark.anyio
async def test_a_document_that_is_refused_with_user_errors_changes_nothing(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    unknown = node.encode_id(node.NODE_TABLES["Conversation"], 1, 404)

    answer = (await client.data(DOCUMENTS["Close"], id=unknown))["updateConversation"]

    assert answer["conversation"] is None
    assert [error["code"] for error in answer["userErrors"]] == ["NOT_FOUND"]


def test_the_attributes_that_may_be_changed_are_those_of_the_input() -> None:
    _, _, listed = section("A first mutation").partition("that can be changed\nare ")
    input_ = SCHEMA.type_map["UpdateConversationInput"]

    assert isinstance(input_, GraphQLInputObjectType)
    beside = {"conversationId", "ifUnchangedSince"}
    assert set(re.findall(r"`(\w+)`", listed.partition(":")[0])) == set(input_.fields) - beside


# The command line


def test_the_two_commands_are_the_ones_that_are_checked() -> None:
    demo, tests = "pip install uv && uv run inbox demo", "pip install uv && uv run pytest"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert [text for text in SHELL if "pip" in text] == [demo, tests]
    assert f'"{tests}"' in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert project["scripts"] == {"inbox": "inbox_graphql:main"}
    assert f"With Python {project['requires-python'].removeprefix('>=')} or newer" in PROSE


def test_the_table_lists_the_commands_with_options_that_they_have() -> None:
    commands = {name: load(name) for name in COMMANDS}
    listed = {cells[0].strip("`").split()[1]: " ".join(cells) for cells in rows("The command line")}

    assert list(listed) == list(commands)
    for name, text in listed.items():
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"(?<![\w-])--[\w-]+", text)) <= options


def test_every_other_inbox_command_exists_too() -> None:
    used = {name for text in (*SHELL, PROSE, PAGES) for name in re.findall(r"(?:`|uv run )inbox (\w+)", text)}

    assert used == set(COMMANDS)


@pytest.mark.anyio
async def test_the_curl_line_has_the_form_of_the_demos_and_is_answered(
    reader: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    _announce("http://127.0.0.1:8000/graphql", "$TOKEN", has_guest=True)
    printed, following = (line for line in capsys.readouterr().out.splitlines() if line.startswith("curl"))
    lines, follow = (text for text in SHELL if "curl" in text)
    token, _, command = lines.partition("\n")

    # Split as in a shell, which substitutes the token later.
    *words, body = shlex.split(command.replace("\\\n", ""))
    assert token == "TOKEN=$(uv run inbox token)"
    assert words == shlex.split(printed)[:-1]
    assert shlex.split(follow.replace("\\\n", ""))[:-1] == shlex.split(following)[:-1]
    answer = (await reader.http.post("/graphql", content=body, headers=headers_of(words, reader.token))).json()
    assert [[*conversation] for conversation in answer["data"]["conversations"]["nodes"]] == [["subject"]] * 2


@pytest.mark.anyio
async def test_the_curl_line_that_follows_changes_is_answered_by_events(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    _, line = (text for text in SHELL if "curl" in text)
    *words, body = shlex.split(line.replace("\\\n", ""))
    async with listening(dsn) as client:
        headers = headers_of(words, client.token)
        async with client.http.stream("POST", "/graphql", content=body, headers=headers) as response:
            conversation = await create(client)
            event = await Follower(response).next()

    assert event.changes == [("CONVERSATION", conversation)]


def headers_of(words: list[str], token: str) -> dict[str, str]:
    """The headers that a curl line sends."""
    given = (word.replace("$TOKEN", token) for flag, word in pairwise(words) if flag == "-H")
    return dict(header.split(": ") for header in given)


# The tables


# What the REST API never had.
BEYOND_REST = {
    *("createMessage", "addParticipant", "markConversationRead", "updateConversations"),
    *("reportDelivery", "retryDelivery"),
    *("createWebhookEndpoint", "updateWebhookEndpoint", "deleteWebhookEndpoint", "rotateWebhookSecret", "redeliver"),
    *("sendTestEvent", "replayWebhook"),
}


def test_each_rest_request_has_its_field() -> None:
    names: list[str] = []
    for cells in rows("From REST to GraphQL"):
        for name, arguments in re.findall(r"`(\w+)(?:\((.*?)\))?`", cells[1]):
            roots = (SCHEMA.query_type, SCHEMA.mutation_type)
            (field,) = (root.fields[name] for root in roots if root is not None and name in root.fields)
            assert set(re.findall(r"\w+", arguments)) <= set(field.args)
            names.append(name)

    assert SCHEMA.mutation_type is not None
    assert set(names) == {"conversations", "conversation", *(SCHEMA.mutation_type.fields.keys() - BEYOND_REST)}


def test_the_scopes_allow_what_the_schema_requires_them_for() -> None:
    listed = {cells[0].strip("`"): cells[1] for cells in rows("Tokens and scopes")}
    requiring: dict[str, set[str]] = {scope: set() for scope in SCOPES}
    assert SCHEMA.mutation_type is not None
    mutations = SCHEMA.mutation_type.fields
    for type_ in SCHEMA.type_map.values():
        if isinstance(type_, GraphQLObjectType) and type_.ast_node is not None:
            for scope in required(type_):
                requiring[scope].add(plural(type_))
    for name, field in mutations.items():
        for scope in required(field) - {"inbox_write"}:
            requiring[scope].add(f"`{name}`")

    assert set(listed) == SCOPES
    assert listed.pop("inbox_write") == "every other mutation, and all that `inbox_read` allows"
    assert {scope: set(re.split(", | and ", text)) for scope, text in listed.items()} == {
        scope: types for scope, types in requiring.items() if scope != "inbox_write"
    }
    assert {"inbox_write": frozenset({"inbox_read"})} == IMPLIED
    assert [len(required(field)) for field in mutations.values()] == [1] * len(mutations)


def plural(type_: GraphQLNamedType) -> str:
    """The plural in the README for the nodes of a type."""
    name = re.sub("(?<=[a-z])(?=[A-Z])", " ", type_.name).lower()
    if name == "account":
        return "the account"
    if name == "inbox counts":
        return "the counts"
    return f"{name.removesuffix('y')}ies" if name.endswith("y") else f"{name}s"


@pytest.mark.anyio
async def test_a_token_has_the_claims_that_are_listed(reader: Client) -> None:
    listed = re.findall(r"`(\w+)`", section("Tokens and scopes").partition("Its claims: ")[2].partition("\n\n")[0])
    claims = jwt.decode(reader.token, options={"verify_signature": False})

    # `iat` is informational and never checked.
    assert set(listed) == set(claims) - {"iat"}


# What is where


def test_every_path_leads_somewhere() -> None:
    named = {*PATH.findall(README), *PATH.findall(PAGES), *re.findall(r"!\[.*?\]\((.*?)\)", README)}

    assert len(named) > 20
    assert sorted(path for path in named if not [*ROOT.glob(path.replace("<entity>", "*"))]) == []


def test_the_declarations_have_the_parameters_of_the_readme() -> None:
    listed = re.findall(r"`(\w+)\(([^`]*)\)`", section("Changing things"))

    assert [name for name, _ in listed] == ["column", "computed", "one", "either", "many", "through", "last"]
    declared = {name: value for module in (column, computed, end, many, one) for name, value in vars(module).items()}
    for name, arguments in listed:
        assert arguments == positional(declared[name]), name


def positional(function: Callable[..., Any]) -> str:
    """The positional parameters of a function."""
    return ", ".join(
        f"{name}…" if parameter.kind is Parameter.VAR_POSITIONAL else name
        for name, parameter in signature(function).parameters.items()
        if parameter.kind is not Parameter.KEYWORD_ONLY and parameter.kind is not Parameter.VAR_KEYWORD
    )


@pytest.mark.anyio
async def test_the_health_of_a_process_needs_no_token(reader: Client) -> None:
    paths = re.findall(r"`GET (/\w+)`", section("Health"))

    assert paths == ["/healthz", "/readyz"]
    assert [(await reader.http.get(path)).status_code for path in paths] == [200, 200]


def test_the_options_of_the_test_run_exist(request: pytest.FixtureRequest) -> None:
    (option,) = re.findall(r"uv run pytest (--[\w-]+)", PAGES)
    ((variable, path),) = re.findall(r"`(SCREENSHOT)=.* uv run pytest ([\w./]+)`", PAGES)

    assert request.config.getoption(option) in {True, False}
    assert f'"{variable}"' in (ROOT / path).read_text(encoding="utf-8")
