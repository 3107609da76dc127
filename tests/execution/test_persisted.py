"""Documents by identifier: valid manifests, and the documents that are executed in each mode."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from hashlib import md5, sha1
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gql.execution.document import Documents
from gql.execution.persisted import read_manifest
from gql.settings import ConfigurationError
from tests.support import command
from tests.support.client import SECRET, Client, Statements
from tests.support.command import forget_settings
from tests.support.database import recording
from tests.support.factories import store_account
from tests.support.persisting import HOST, HOSTS, OTHER, automatic, digest, get, known_as, outcome, post
from tests.support.request import BROWSER, TYPENAME, refusal
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

CREATE = 'mutation Create { createConversation(input: {subject: "New"}) { conversation { subject } } }'
BOTH = "query First { __typename } query Second { second: __typename }"
INTROSPECTION = "{ __schema { queryType { name } } }"

ONLY_TRUSTED = refusal("Only trusted documents are executed here", "FORBIDDEN")
UNKNOWN = refusal("There is no document with this documentId")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of four documents."""
    path = tmp_path_factory.mktemp("manifest") / "documents.json"
    path.write_text(json.dumps({digest(text): text for text in (HOSTS, CREATE, BOTH, "{ __typename }")}))
    return path


@pytest.fixture(scope="module")
async def allowing(seeded_dsn: str, manifest: Path) -> AsyncIterator[Client]:
    """A client of an application that has the manifest and also executes other documents."""
    async with serving(seeded_dsn, Statements(), documents=manifest) as client:
        yield client


@pytest.fixture(scope="module")
async def strict(seeded_dsn: str, manifest: Path) -> AsyncIterator[Client]:
    """A client of an application that executes only the manifest's documents."""
    statements = Statements()
    with recording(statements):
        async with serving(seeded_dsn, statements, documents=manifest, documents_mode="only") as client:
            yield client


# ------------------------------------------------------------- by a documentId


@pytest.mark.parametrize("ask", [get, post])
async def test_a_document_is_executed_by_its_hash(allowing: Client, ask: Callable[..., Any]) -> None:
    response = await ask(allowing, documentId=known_as(HOSTS), variables={"first": 1})

    assert outcome(response) == (200, HOST)


@pytest.mark.parametrize("ask", [get, post])
async def test_an_operation_of_a_document_is_chosen_by_name(allowing: Client, ask: Callable[..., Any]) -> None:
    second = await ask(allowing, documentId=known_as(BOTH), operationName="Second")
    unnamed = await ask(allowing, documentId=known_as(BOTH))

    assert outcome(second) == (200, {"data": {"second": "Query"}})
    assert unnamed.json() == refusal("Give operationName: there are several operations")


@pytest.mark.parametrize("ask", [get, post])
@pytest.mark.parametrize(
    "identifier",
    [known_as(OTHER), known_as(HOSTS).upper(), f"md5:{digest(HOSTS)}", f" {known_as(HOSTS)}", "sha256:", ""],
)
async def test_an_identifier_that_the_manifest_has_not_is_400(
    allowing: Client, ask: Callable[..., Any], identifier: str
) -> None:
    assert outcome(await ask(allowing, documentId=identifier)) == (400, UNKNOWN)


async def test_there_is_no_identifier_without_a_manifest(reader: Client) -> None:
    assert outcome(await post(reader, documentId=known_as(HOSTS))) == (400, UNKNOWN)


@pytest.mark.parametrize("identifier", [5, False, [], {}])
async def test_an_identifier_of_another_type_is_400(allowing: Client, identifier: object) -> None:
    response = await post(allowing, documentId=identifier)

    assert outcome(response) == (400, refusal("documentId must be a string"))


@pytest.mark.parametrize("beside", [{"query": HOSTS}, {"query": ""}, {"extensions": automatic(HOSTS)}])
@pytest.mark.parametrize("ask", [get, post])
async def test_an_identifier_stands_for_the_whole_document(
    allowing: Client, ask: Callable[..., Any], beside: dict[str, Any]
) -> None:
    response = await ask(allowing, documentId=known_as(HOSTS), **beside)

    message = "With a documentId, send neither query nor extensions.persistedQuery"
    assert outcome(response) == (400, refusal(message))


async def test_null_and_other_extensions_may_stand_beside_an_identifier(allowing: Client) -> None:
    response = await post(
        allowing, documentId=known_as(HOSTS), query=None, variables={"first": 1}, extensions={"persistedQuery": None}
    )

    assert outcome(response) == (200, HOST)


async def test_a_null_identifier_counts_as_absent(allowing: Client) -> None:
    assert outcome(await post(allowing, documentId=None, query="{ __typename }")) == (200, TYPENAME)


async def test_a_mutation_is_executed_by_a_post_only(
    dsn: str, statements: Statements, connection: asyncpg.Connection, manifest: Path
) -> None:
    await store_account(connection)
    async with serving(dsn, statements, documents=manifest) as client:
        asked = await get(client, documentId=known_as(CREATE))
        stored = await connection.fetchval("SELECT count(*) FROM conversations")
        sent = await post(client, documentId=known_as(CREATE))

    assert outcome(asked) == (405, refusal("A GET cannot change anything: use POST"))
    assert asked.headers["allow"] == "POST"
    assert stored == 0
    assert outcome(sent) == (200, {"data": {"createConversation": {"conversation": {"subject": "New"}}}})
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 1


async def test_a_browser_at_the_address_of_a_document_gets_its_answer(
    seeded_dsn: str, statements: Statements, manifest: Path
) -> None:
    async with serving(seeded_dsn, statements, documents=manifest, graphiql=True) as client:
        answers = [
            await get(client, {"accept": BROWSER}, documentId=known_as("{ __typename }")),
            await get(client, {"accept": BROWSER}, extensions=automatic("{ __typename }")),
        ]

    assert [outcome(answer) for answer in answers] == [(200, TYPENAME)] * 2


# ------------------------------------------------------------------- manifests


def apollo(*texts: str) -> dict[str, Any]:
    """A manifest of Apollo's tool."""
    operations = [{"id": digest(text), "name": "A", "type": "query", "body": text} for text in texts]
    return {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}


@pytest.mark.parametrize(
    ("manifest", "identifier"),
    [
        ({md5(HOSTS.encode()).hexdigest(): HOSTS}, md5(HOSTS.encode()).hexdigest()),  # noqa: S324  # as Relay does
        ({sha1(HOSTS.encode()).hexdigest(): HOSTS}, sha1(HOSTS.encode()).hexdigest()),  # noqa: S324  # as Codegen does
        ({digest(HOSTS): HOSTS}, digest(HOSTS)),
        ({known_as(HOSTS): HOSTS}, known_as(HOSTS)),
        (apollo(OTHER, HOSTS), digest(HOSTS)),
        ({"x-app:hosts/1": HOSTS}, "x-app:hosts/1"),
    ],
    ids=["Relay's MD5", "Codegen's SHA-1", "SHA-256", "with its prefix", "Apollo's", "an own one"],
)
async def test_documents_have_the_identifiers_of_every_format_and_their_hash(
    seeded_dsn: str, statements: Statements, tmp_path: Path, manifest: dict[str, Any], identifier: str
) -> None:
    path = tmp_path / "documents.json"
    path.write_text(json.dumps(manifest))

    async with serving(seeded_dsn, statements, documents=path) as client:
        answers = [
            await post(client, documentId=identifier, variables={"first": 1}),
            await post(client, documentId=known_as(HOSTS), variables={"first": 1}),
            await post(client, extensions=automatic(HOSTS), variables={"first": 1}),
            # The parameters that Apollo's client sends with a manifest.
            await post(
                client,
                extensions={"persistedQuery": {"version": 1, "sha256Hash": identifier}},
                variables={"first": 1},
            ),
        ]

    assert [outcome(answer) for answer in answers] == [(200, HOST)] * 4


def test_a_hash_is_the_one_of_the_specification(tmp_path: Path) -> None:
    text = "query ($id: ID!) {\n  user(id: $id) {\n    name\n  }\n}"
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({"a1": text}))

    assert read_manifest(path) == {
        "a1": text,
        "sha256:7dba4bd717b41f10434822356a93c32b1fb4907b983e854300ad839f84cdcd6e": text,
    }


FORMAT = "apollo-persisted-query-manifest"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "INBOX_DOCUMENTS cannot be read: unexpected end of data: line 1 column 2 (char 1)"),
        ("[]", "INBOX_DOCUMENTS is not a JSON object"),
        ("5", "INBOX_DOCUMENTS is not a JSON object"),
        ("{}", "INBOX_DOCUMENTS has no documents"),
        (json.dumps(apollo()), "INBOX_DOCUMENTS has no documents"),
        (json.dumps({"format": "other"}), "INBOX_DOCUMENTS has an unknown format"),
        (json.dumps(apollo(HOSTS) | {"version": 2}), "INBOX_DOCUMENTS has an unknown format"),
        (json.dumps({"format": FORMAT, "version": 1}), "INBOX_DOCUMENTS has an unknown format"),
        (json.dumps({"a1": 5}), "INBOX_DOCUMENTS: document a1: identifier and text must be strings"),
        (json.dumps({"": HOSTS}), "INBOX_DOCUMENTS: document : identifier and text must be strings"),
        (
            json.dumps({"format": FORMAT, "version": 1, "operations": [{"body": HOSTS}]}),
            "INBOX_DOCUMENTS: document None: identifier and text must be strings",
        ),
        (
            json.dumps({"format": FORMAT, "version": 1, "operations": ["a1"]}),
            "INBOX_DOCUMENTS: document a1: identifier and text must be strings",
        ),
        (
            json.dumps(
                {
                    "format": FORMAT,
                    "version": 1,
                    "operations": [{"id": "a1", "body": HOSTS}, {"id": "a1", "body": OTHER}],
                }
            ),
            "INBOX_DOCUMENTS: document a1: there are two of this identifier",
        ),
        (
            json.dumps({digest(OTHER): HOSTS}),
            f"INBOX_DOCUMENTS: document {digest(OTHER)}: this is not the SHA-256 of its text",
        ),
        (
            json.dumps({digest(HOSTS).upper(): HOSTS}),
            f"INBOX_DOCUMENTS: document {digest(HOSTS).upper()}: this is not the SHA-256 of its text",
        ),
        (json.dumps({"sha256:a1": HOSTS}), "INBOX_DOCUMENTS: document sha256:a1: this is not the SHA-256 of its text"),
        (
            json.dumps({"a1": HOSTS, "a2": "{ nothing }"}),
            "INBOX_DOCUMENTS: document a2: Cannot query field 'nothing' on type 'Query'. Did you mean 'booking'?",
        ),
        (json.dumps({"a1": "{"}), "INBOX_DOCUMENTS: document a1: Syntax Error: Expected Name, found <EOF>."),
    ],
)
async def test_a_manifest_that_is_not_as_it_should_be_is_refused_at_the_start(
    seeded_dsn: str, statements: Statements, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "documents.json"
    path.write_text(content)

    with pytest.raises(ConfigurationError) as caught:
        async with serving(seeded_dsn, statements, documents=path):
            pass

    assert str(caught.value) == message


async def test_a_manifest_that_is_not_there_is_refused_at_the_start(
    seeded_dsn: str, statements: Statements, tmp_path: Path
) -> None:
    path = tmp_path / "nowhere.json"

    with pytest.raises(ConfigurationError, match=r"^INBOX_DOCUMENTS cannot be read: .*nowhere\.json"):
        async with serving(seeded_dsn, statements, documents=path):
            pass


def test_serve_refuses_to_start_with_documents_that_are_not_valid(
    dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    forget_settings(monkeypatch, tmp_path)
    (tmp_path / "documents.json").write_text(json.dumps({"a1": "{ nothing }"}))
    monkeypatch.setenv("INBOX_JWT_SECRET", SECRET)
    monkeypatch.setenv("INBOX_DOCUMENTS", "documents.json")
    monkeypatch.setenv("DATABASE_URL", dsn)

    line = command.refusal(capsys, "serve", "--port", "0", "--workers", "2")

    assert line == "inbox: INBOX_DOCUMENTS: document a1: Cannot query field 'nothing' on type 'Query'."


async def test_documents_of_a_manifest_stay_read_however_many_others_come(
    seeded_dsn: str, statements: Statements, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    read_document = Documents.read

    def note(documents: Documents, text: str) -> Any:
        read.append(text)
        return read_document(documents, text)

    monkeypatch.setattr(Documents, "read", note)
    async with serving(seeded_dsn, statements, documents=manifest, document_cache=1) as client:
        at_start = len(read)
        for number in range(5):
            await client.data(f"{{ field{number}: __typename }}")
            await post(client, documentId=known_as(HOSTS))
            await post(client, documentId=known_as(BOTH), operationName="First")

    assert at_start == 4
    assert read[at_start:] == [f"{{ field{number}: __typename }}" for number in range(5)]


# --------------------------------------------------------------- the mode only


@pytest.mark.parametrize(
    ("ask", "parameters"),
    [
        (post, {"query": OTHER}),
        (get, {"query": OTHER}),
        (post, {"query": f"{HOSTS} "}),
        (post, {"query": INTROSPECTION}),
        (get, {"query": INTROSPECTION}),
        (post, {"query": "{"}),
        (post, {"query": CREATE.replace("New", "Newer")}),
        (post, {"documentId": known_as(OTHER)}),
        (get, {"documentId": known_as(OTHER)}),
        (post, {"extensions": automatic(OTHER)}),
        (get, {"extensions": automatic(OTHER)}),
        (post, {"query": OTHER, "extensions": automatic(OTHER)}),
        (get, {"query": OTHER, "extensions": automatic(OTHER)}),
    ],
)
async def test_only_documents_of_the_manifest_are_executed(
    strict: Client, ask: Callable[..., Any], parameters: dict[str, Any]
) -> None:
    await post(strict, documentId=known_as(HOSTS))
    assert strict.statements.take() != []

    responses = [await ask(strict, **parameters) for _ in range(2)]

    assert [outcome(response) for response in responses] == [(403, ONLY_TRUSTED)] * 2
    assert strict.statements.take() == []


async def test_a_mutation_that_is_not_of_the_manifest_changes_nothing(
    dsn: str, statements: Statements, connection: asyncpg.Connection, manifest: Path
) -> None:
    await store_account(connection)
    async with serving(dsn, statements, documents=manifest, documents_mode="only") as client:
        refused = await post(client, query=CREATE.replace("New", "Newer"))
        stored = await connection.fetchval("SELECT count(*) FROM conversations")
        executed = await post(client, documentId=known_as(CREATE))

    assert (outcome(refused), stored) == ((403, ONLY_TRUSTED), 0)
    assert (executed.status_code, await connection.fetchval("SELECT count(*) FROM conversations")) == (200, 1)


@pytest.mark.parametrize("ask", [get, post])
@pytest.mark.parametrize(
    "named",
    [
        {"documentId": known_as(HOSTS)},
        {"documentId": digest(HOSTS)},
        {"extensions": automatic(HOSTS)},
        {"query": HOSTS},
        {"query": HOSTS, "extensions": automatic(HOSTS)},
    ],
)
async def test_documents_of_the_manifest_are_executed_by_each_of_their_names(
    strict: Client, ask: Callable[..., Any], named: dict[str, Any]
) -> None:
    assert outcome(await ask(strict, **named, variables={"first": 1})) == (200, HOST)


async def test_the_mode_only_needs_a_manifest(seeded_dsn: str, statements: Statements) -> None:
    with pytest.raises(ConfigurationError, match=r"^INBOX_DOCUMENTS_MODE is only, but there is no INBOX_DOCUMENTS$"):
        async with serving(seeded_dsn, statements, documents_mode="only"):
            pass
