"""The settings: read from the environment, checked with a line for each mistake, and listed in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import uvicorn
from pydantic import SecretStr, ValidationError

from gql.settings import Settings, explain, read_ports, variable
from gql.web.server import listen, serve

README = Path(__file__).parents[2] / "README.md"
PAGE = README.parent / ".github/docs/configuration.md"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


def row(field: str) -> str:
    """The row of a setting in the table of the documentation."""
    info = Settings.model_fields[field]
    default = "" if info.default in (None, ()) else f"`{str(info.default).lower()}`"
    return f"| `{variable(field)}` | {default} | {info.description} |"


def test_each_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "DATABASE_URL": "postgresql://inbox@db.example/inbox",
        "INBOX_LISTEN_URL": "postgresql://inbox@direct.example/inbox",
        "INBOX_DATA": "/srv/inbox",
        "INBOX_POOL_SIZE": "3",
        "INBOX_POOLER": "transaction",
        "INBOX_JWT_SECRET": "a secret of thirty-two bytes, or so",
        "INBOX_SECRET_KEY": "key, other key",
        "INBOX_WEBHOOK_PORTS": "443, 9000-9001",
        "INBOX_WEBHOOK_LOOPBACK": "yes",
        "INBOX_WEBHOOK_AT_ONCE": "17",
        "INBOX_WEBHOOK_DAYS": "8",
        "INBOX_WORK": "yes",
        "INBOX_JWKS": "https://id.example/keys",
        "INBOX_JWT_AUDIENCE": "inbox",
        "INBOX_JWT_ISSUER": "https://id.example",
        "INBOX_GRAPHIQL": "yes",
        "INBOX_METRICS": "yes",
        "INBOX_MAX_BODY": "1000",
        "INBOX_MAX_TOKENS": "200",
        "INBOX_OPERATION_TIMEOUT": "2.5",
        "INBOX_MAX_DEPTH": "2",
        "INBOX_MAX_ALIASES": "0",
        "INBOX_MAX_ROOT_FIELDS": "4",
        "INBOX_MAX_DIRECTIVES": "5",
        "INBOX_MAX_COST": "600",
        "INBOX_MAX_RESPONSE": "7000",
        "INBOX_MAX_LIST": "70",
        "INBOX_RATE_LIMIT": "8000",
        "INBOX_RATE_SECONDS": "2.5",
        "INBOX_RATE_LIMIT_URL": "redis://:password@redis.example/0",
        "INBOX_CHANGES_DAYS": "7",
        "INBOX_MAX_CONNECTIONS": "13",
        "INBOX_MAX_SOCKETS": "14",
        "INBOX_MAX_SOCKETS_PER_PRINCIPAL": "15",
        "INBOX_MAX_OPERATIONS_PER_SOCKET": "16",
        "INBOX_SOCKET_INIT_SECONDS": "1.5",
        "INBOX_SOCKET_PING_SECONDS": "30",
        "INBOX_MAX_RUNNING": "11",
        "INBOX_MAX_WAITING": "12",
        "INBOX_DOCUMENT_CACHE": "9",
        "INBOX_DOCUMENT_BYTES": "900",
        "INBOX_DOCUMENTS": "/srv/documents.json",
        "INBOX_DOCUMENTS_MODE": "only",
        "INBOX_APQ_CACHE": "7",
        "INBOX_APQ_BYTES": "700",
        "INBOX_INTROSPECTION": "on",
        "INBOX_CORS_ORIGINS": "https://a.example, https://b.example,",
        "INBOX_CORS_HEADERS": "authorization, x-request-id",
        "INBOX_COMPRESS": "off",
        "INBOX_MAX_JSON_DEPTH": "20",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert {variable(field) for field in Settings.model_fields} == given.keys()
    assert Settings().model_dump() == {
        "database_url": "postgresql://inbox@db.example/inbox",
        "listen_url": "postgresql://inbox@direct.example/inbox",
        "data": Path("/srv/inbox"),
        "pool_size": 3,
        "pooler": "transaction",
        "jwt_secret": SecretStr("a secret of thirty-two bytes, or so"),
        "secret_key": SecretStr("key, other key"),
        "webhook_ports": "443, 9000-9001",
        "webhook_loopback": True,
        "webhook_at_once": 17,
        "webhook_days": 8,
        "work": True,
        "jwks": "https://id.example/keys",
        "jwt_audience": "inbox",
        "jwt_issuer": "https://id.example",
        "graphiql": True,
        "metrics": True,
        "max_body": 1_000,
        "max_tokens": 200,
        "max_depth": 2,
        "max_aliases": 0,
        "max_root_fields": 4,
        "max_directives": 5,
        "max_cost": 600,
        "max_response": 7_000,
        "max_list": 70,
        "rate_limit": 8_000,
        "rate_seconds": 2.5,
        "rate_limit_url": SecretStr("redis://:password@redis.example/0"),
        "changes_days": 7,
        "max_connections": 13,
        "max_sockets": 14,
        "max_sockets_per_principal": 15,
        "max_operations_per_socket": 16,
        "socket_init_seconds": 1.5,
        "socket_ping_seconds": 30.0,
        "max_running": 11,
        "max_waiting": 12,
        "operation_timeout": 2.5,
        "document_cache": 9,
        "document_bytes": 900,
        "documents": Path("/srv/documents.json"),
        "documents_mode": "only",
        "apq_cache": 7,
        "apq_bytes": 700,
        "introspection": True,
        "cors_origins": ("https://a.example", "https://b.example"),
        "cors_headers": ("authorization", "x-request-id"),
        "compress": False,
        "max_json_depth": 20,
    }


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = Settings()
    for field in Settings.model_fields:
        monkeypatch.setenv(variable(field), "")

    assert Settings() == unset


@pytest.mark.parametrize(
    "origin",
    ["app.example", "https://app.example/", "https://app.example/x", "//app.example", "https://", "https://A.example"],
)
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(cors_origins=f"https://good.example,{origin}")

    message = "must be origins with a scheme and without a path, such as https://app.example, or *"
    assert explain(caught.value) == [f"INBOX_CORS_ORIGINS: {message}"]


@pytest.mark.parametrize(
    "origin", ["*", "https://app.example", "http://localhost:3000", "capacitor://localhost", "http://[::1]:8080"]
)
def test_an_origin_is_what_a_browser_sends(origin: str) -> None:
    assert Settings(cors_origins=origin).cors_origins == (origin,)


def test_what_is_handed_over_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://environment/inbox")

    assert Settings(database_url="postgresql://handed/over").database_url == "postgresql://handed/over"


def test_each_mistake_is_a_line_that_names_the_variable_and_not_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://inbox:password@db.example/inbox")
    monkeypatch.setenv("INBOX_POOL_SIZE", "many")
    monkeypatch.setenv("INBOX_MAX_BODY", "0")
    monkeypatch.setenv("INBOX_OPERATION_TIMEOUT", "inf")
    monkeypatch.setenv("INBOX_GRAPHIQL", "perhaps")

    with pytest.raises(ValidationError) as caught:
        Settings()

    assert explain(caught.value) == [
        "DATABASE_URL: must start with postgresql://",
        "INBOX_POOL_SIZE: Input should be a valid integer, unable to parse string as an integer",
        "INBOX_GRAPHIQL: Input should be a valid boolean, unable to interpret input",
        "INBOX_MAX_BODY: Input should be greater than or equal to 1",
        "INBOX_OPERATION_TIMEOUT: Input should be a finite number",
    ]
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("INBOX_POOLSIZE", "INBOX_POOLSIZE: there is no such setting; did you mean INBOX_POOL_SIZE?"),
        ("INBOX_JWT_SECRETS", "INBOX_JWT_SECRETS: there is no such setting; did you mean INBOX_JWT_SECRET?"),
        ("inbox_max_boddy", "INBOX_MAX_BODDY: there is no such setting; did you mean INBOX_MAX_BODY?"),
        ("INBOX_DATABASE_URL", "INBOX_DATABASE_URL: there is no such setting; did you mean DATABASE_URL?"),
        ("INBOX_QUUX", "INBOX_QUUX: there is no such setting"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    monkeypatch.setenv(name, "password")

    with pytest.raises(ValidationError) as caught:
        Settings()

    assert explain(caught.value) == [line]
    assert "password" not in str(caught.value)


def test_two_variables_that_are_no_settings_are_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOX_MAX_BODYS", "1")
    monkeypatch.setenv("INBOX_DATAS", "1")

    with pytest.raises(ValidationError) as caught:
        Settings()

    assert [line.partition(":")[0] for line in explain(caught.value)] == ["INBOX_DATAS", "INBOX_MAX_BODYS"]


def test_the_variables_of_a_kubernetes_service_with_our_name_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP", "PORT_80_TCP_ADDR"):
        monkeypatch.setenv(f"INBOX_{name}", "10.0.0.11")

    assert Settings() == Settings()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("connect_timeout=5", "does not support the option connect_timeout: leave it out"),
        (
            "sslmode=require&channel_binding=require&keepalives=1",
            "does not support the option channel_binding, keepalives: leave it out",
        ),
        ("sslrootcert=system", "does not support sslrootcert=system: name the file with the certificates"),
    ],
)
def test_an_option_that_only_libpq_has_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, options: str, message: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://inbox:password@db.example/inbox?{options}")

    with pytest.raises(ValidationError) as caught:
        Settings()

    assert explain(caught.value) == [f"DATABASE_URL: {message}"]


def test_other_options_of_the_database_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given = "postgresql://db.example/inbox?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem&application_name=inbox"
    monkeypatch.setenv("DATABASE_URL", given)

    assert Settings().database_url == given


@pytest.mark.parametrize("ports", ["", "x", "0", "65536", "443,", "9000-8000", "-1", "1-2-3", "443;80", "100000"])
def test_ports_are_numbers_and_ranges(ports: str) -> None:
    with pytest.raises(ValueError, match="must be ports from 1 to 65535"):
        read_ports(ports)


def test_ports_are_read_in_their_order() -> None:
    assert read_ports("443, 8000-9000,1") == (range(443, 444), range(8_000, 9_001), range(1, 2))


def test_wrong_ports_are_reported_with_their_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOX_WEBHOOK_PORTS", "https")

    with pytest.raises(ValidationError) as caught:
        Settings()

    message = "must be ports from 1 to 65535, and ranges such as 8000-9000, separated by commas"
    assert explain(caught.value) == [f"INBOX_WEBHOOK_PORTS: {message}"]


def test_settings_show_no_secret() -> None:
    settings = Settings(database_url="postgresql://inbox:password@db.example/inbox", jwt_secret=SecretStr("secret"))

    assert "password" not in repr(settings)
    assert "secret'" not in repr(settings)


def test_the_settings_named_in_the_readme_exist() -> None:
    named = set(re.findall(r"`((?:INBOX|DATABASE)_\w+)`", README.read_text(encoding="utf-8"))) - {"INBOX_SCREENSHOT"}

    assert named <= {variable(field) for field in Settings.model_fields}


def test_the_documentation_lists_each_setting_with_its_default() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line.startswith(("| `INBOX_", "| `DATABASE_URL`"))]

    assert listed == [row(field) for field in Settings.model_fields]


def test_a_server_may_open_a_file_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    allowed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1_000_000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: allowed.append(limits))
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_: None)
    with listen("127.0.0.1", 0) as listener:
        serve("gql.app:create_configured_app", listener, Settings(max_connections=300, max_sockets=400, pool_size=10))

    # Beside those of clients and of the database, 100 for other files.
    assert allowed == [(300 + 400 + 2 * 10 + 100, 1_000_000)]
