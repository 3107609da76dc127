"""Generators of code accept the schema and the documents of the screens without a complaint.

They run where Node.js and the packages are, which `.ci/run` installs into `.cache`, and where uv can install
ariadne-codegen, which has an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.node import PACKAGES, needs
from tests.operations.documents import writes

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCHEMA = (ROOT / "schema.graphql").read_text(encoding="utf-8")
GENERATORS = PACKAGES.with_name("generators")
UV = shutil.which("uv")
ARIADNE = "ariadne-codegen==0.19.0"
SCALARS = {"BigInt": "string", "DateTime": "string", "Decimal": "string"}
SCREENS = {
    path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "tests/operations/screens").glob("*.graphql")
}


def kind(stem: str) -> str:
    """The suffix by which generators name the operation of a screen."""
    return "Mutation" if writes(f"\n{SCREENS[stem]}") else "Query"


def named(stem: str, name: str) -> str:
    """The document of a screen, with another name for its operation, and fragments named as Relay requires it."""
    document = re.sub(r"^#.*\n", "", SCREENS[stem], flags=re.MULTILINE)
    document = re.sub(r"(^fragment |\.\.\.)(\w+)", rf"\g<1>{stem}_\g<2>", document, flags=re.MULTILINE)
    return re.sub(r"^(query|mutation)? *\w*", lambda head: f"{head[1] or 'query'} {name}", document, count=1)


def run(folder: Path, *command: str, **environment: str) -> str:
    """The output of a command, which must succeed."""
    done = subprocess.run(  # noqa: S603  # programs that this repository names
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert not re.search(r"\b(warn(ing)?|error|deprecated)\b", output, re.IGNORECASE), output
    return output


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the schema and the documents in TypeScript."""
    (tmp_path / "schema.graphql").write_text(SCHEMA)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "__generated__").mkdir()
    return tmp_path


def test_there_are_screens_to_compile() -> None:
    assert len(SCREENS) >= 2


@needs("relay-compiler")
def test_relay_compiles_the_screens(project: Path) -> None:
    for stem in SCREENS:
        (project / f"{stem}.ts").write_text(f"graphql`{named(stem, stem + kind(stem))}`;")
    configuration = {"src": ".", "schema": "schema.graphql", "language": "typescript", "customScalarTypes": SCALARS}
    (project / "relay.config.json").write_text(json.dumps(configuration | {"artifactDirectory": "__generated__"}))

    run(project, str(PACKAGES / "node_modules/.bin/relay-compiler"), "relay.config.json")

    assert {f"{stem}{kind(stem)}.graphql.ts" for stem in SCREENS} <= {
        path.name for path in project.glob("__generated__/*")
    }


@needs("@graphql-codegen/cli", folder=GENERATORS)
def test_the_client_preset_of_graphql_codegen_compiles_the_screens(project: Path) -> None:
    (project / "node_modules").symlink_to(GENERATORS / "node_modules")
    for stem in SCREENS:
        (project / f"{stem}.ts").write_text(f"graphql(`{named(stem, stem)}`);")
    configuration = {
        "schema": "schema.graphql",
        "documents": ["*.ts"],
        "generates": {"./generated/": {"preset": "client", "config": {"scalars": SCALARS, "strictScalars": True}}},
    }
    (project / "codegen.json").write_text(json.dumps(configuration))

    run(project, str(GENERATORS / "node_modules/.bin/graphql-codegen"), "--config", "codegen.json", CI="1")

    generated = (project / "generated/graphql.ts").read_text().lower().replace("_", "")
    assert all(f"{stem.replace('_', '')}{kind(stem)}variables".lower() in generated for stem in SCREENS)


@needs("gql.tada", "typescript", folder=GENERATORS)
def test_gql_tada_checks_the_screens(project: Path) -> None:
    (project / "node_modules").symlink_to(GENERATORS / "node_modules")
    plugin = {"name": "gql.tada/ts-plugin", "schema": "./schema.graphql", "tadaOutputLocation": "./graphql-env.d.ts"}
    options = {"strict": True, "module": "esnext", "moduleResolution": "bundler", "noEmit": True, "skipLibCheck": True}
    (project / "tsconfig.json").write_text(json.dumps({"compilerOptions": options | {"plugins": [plugin]}}))
    scalars = "; ".join(f"{name}: {type_}" for name, type_ in SCALARS.items())
    (project / "graphql.ts").write_text(
        'import { initGraphQLTada } from "gql.tada";\nimport type { introspection } from "./graphql-env";\n'
        f"export const graphql = initGraphQLTada<{{ introspection: introspection; scalars: {{ {scalars} }} }}>();\n"
    )
    for stem in SCREENS:
        (project / f"{stem}.ts").write_text(
            f'import {{ graphql }} from "./graphql";\nexport const it = graphql(`{named(stem, stem)}`);'
        )
    tools = GENERATORS / "node_modules/.bin"

    run(project, str(tools / "gql.tada"), "generate-output")
    run(project, str(tools / "tsc"), "--project", ".")


@pytest.mark.skipif(UV is None, reason="needs uv, which installs ariadne-codegen")
def test_ariadne_codegen_writes_a_client_for_the_screens(project: Path) -> None:
    tool = (str(UV), "tool", "run", "--from", ARIADNE, "ariadne-codegen")
    if subprocess.run([*tool, "--help"], capture_output=True, check=False).returncode:  # noqa: S603  # as below
        pytest.skip(f"uv cannot install {ARIADNE}")
    (project / "queries.graphql").write_text("\n".join(named(stem, stem) for stem in SCREENS))
    scalars = "".join(f'[tool.ariadne-codegen.scalars.{name}]\ntype = "str"\n' for name in SCALARS)
    (project / "pyproject.toml").write_text(
        f'[tool.ariadne-codegen]\nschema_path = "schema.graphql"\nqueries_path = "queries.graphql"\n{scalars}'
    )

    run(project, *tool)

    methods = (project / "graphql_client/client.py").read_text()
    assert all(f"def {stem}(" in methods for stem in SCREENS)
