"""The compared servers: the command that starts each, and the documents that it answers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.node import NodePackages

SERVER, EMPTY, HANDWRITTEN, STRAWBERRY = "server", "empty", "handwritten", "strawberry"
MERCURIUS, POSTGRAPHILE, YOGA = "mercurius", "postgraphile", "yoga"

# `wide` is last, because it takes by far the longest.
DOCUMENTS = ("typename", "one", "list", "nested", "mutation", "wide")


@dataclass(frozen=True, slots=True)
class Contender:
    """One server. `program` is `module:factory` of an ASGI application, or a file of `peers/` for Node.js."""

    name: str
    label: str
    program: str
    documents: tuple[str, ...] = DOCUMENTS

    @property
    def needs_node(self) -> bool:
        """Whether it runs on Node.js."""
        return self.program.endswith(".mjs")


# In the order of tables and charts. The first one is compared with the others.
CONTENDERS = (
    Contender(SERVER, "this server", "gql.app:create_configured_app"),
    Contender(EMPTY, "empty Starlette endpoint", "tests.bench.empty:create_app", ("typename",)),
    Contender(
        HANDWRITTEN,
        "hand-written, no GraphQL",
        "tests.bench.handwritten:create_app",
        ("one", "list", "nested", "wide"),
    ),
    Contender(STRAWBERRY, "Strawberry, ORM loaders", "tests.bench.tutorial:create_app"),
    Contender(MERCURIUS, "Mercurius, graphql-jit", "mercurius.mjs"),
    Contender(POSTGRAPHILE, "PostGraphile 5", "postgraphile.mjs"),
    Contender(YOGA, "Yoga, dataloader", "yoga.mjs"),
)


@dataclass(frozen=True, slots=True)
class Field:
    """The contenders that can run on this machine, and the reason for each that cannot."""

    runnable: Mapping[str, Contender]
    node: NodePackages | None = None
    not_run: Mapping[str, str] = field(default_factory=dict)

    def command(self, name: str) -> list[str]:
        """The command that starts a contender. It prints its port as its first line."""
        contender = self.runnable[name]
        if not contender.needs_node:
            return [sys.executable, "-m", "tests.bench.process", contender.program]
        assert self.node is not None
        return [str(self.node.program), str(Path(__file__).parent / "peers" / contender.program)]

    def answering(self, document: str) -> list[str]:
        """The names of those that answer a document."""
        return [name for name, contender in self.runnable.items() if document in contender.documents]

    def environment(self) -> dict[str, str]:
        """The variables that the contenders need besides their settings."""
        return {} if self.node is None else {"BENCH_PACKAGES": str(self.node.folder), "NODE_ENV": "production"}


def assemble(names: Iterable[str], node: NodePackages | str) -> Field:
    """The contenders with these names. `node` is a reason if those that need Node.js cannot run."""
    wanted = [contender for contender in CONTENDERS if contender.name in set(names)]
    if isinstance(node, NodePackages):
        return Field({contender.name: contender for contender in wanted}, node)
    return Field(
        {contender.name: contender for contender in wanted if not contender.needs_node},
        not_run={contender.name: node for contender in wanted if contender.needs_node},
    )
