"""Documents that have an identifier: those of a manifest, and Apollo's automatic persisted queries.

The manifest is read, and each of its documents validated, once, when the server starts. In the mode `only`, no other
document is executed. An automatic query is stored only under its own hash, and only if it is valid, so that nobody can
store another text under a hash. Nothing here depends on HTTP.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from graphql import NonNullTypeNode, OperationType

from db.cache import Cache
from gql.errors import Code, RequestError
from gql.execution.document import Documents, Operation, Reading
from gql.security.webhook import TrustedDocument
from gql.settings import ConfigurationError, Settings, variable

_FILE = variable("documents")
_PREFIX = "sha256:"
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_LOOKS_LIKE_SHA256 = re.compile(r"sha256:.*|[0-9a-fA-F]{64}", re.DOTALL)


class Reference(NamedTuple):
    """The document of a request: by its text, an identifier, or Apollo's hash with or without the text."""

    text: str | None = None
    document_id: str | None = None
    apollo_hash: str | None = None

    @classmethod
    def of(cls, query: Any, document_id: Any, automatic: Any) -> Reference:
        """From the values in a request, which may have any type; `automatic` is Apollo's extension.

        Raises RequestError.
        """
        if document_id is not None:
            if not isinstance(document_id, str):
                raise _malformed("documentId must be a string")
            if query is not None or automatic is not None:
                raise _malformed("With a documentId, send neither query nor extensions.persistedQuery")
            return cls(document_id=document_id)
        match automatic:
            case None:
                digest = None
            case {"version": 1, "sha256Hash": str(digest)}:
                pass
            case _:
                raise _malformed("extensions.persistedQuery must have version 1 and a sha256Hash")
        has_text = isinstance(query, str) and query.strip()
        if not has_text and (query is not None or digest is None):
            raise _malformed("query must be a string")
        return cls(query, apollo_hash=digest)

    @property
    def is_persisted(self) -> bool:
        """Whether the request has an identifier, so that it is short and always the same."""
        return self.document_id is not None or self.apollo_hash is not None


class PersistedDocuments:
    """Finds the operation of a request by a text or an identifier; `documents` reads the text.

    The constructor raises ConfigurationError if the manifest cannot be read or a document in it is invalid.
    """

    def __init__(self, documents: Documents, settings: Settings) -> None:
        self._documents = documents
        self._only = settings.documents_mode == "only"
        if self._only and settings.documents is None:
            raise ConfigurationError(f"{variable('documents_mode')} is only, but there is no {_FILE}")
        self._trusted = {} if settings.documents is None else read_manifest(settings.documents)
        self._texts = frozenset(self._trusted.values())
        self._automatic: Cache[str, str] = Cache(settings.apq_cache, settings.apq_bytes)
        for text in self._texts:
            self._pin(text)

    def operation(self, reference: Reference, name: str | None) -> Operation:
        """The operation `name` of the document, or its only one. Raises RequestError."""
        text, digest = reference.text, reference.apollo_hash
        if text is not None and digest is not None and digest != _sha256(text):
            raise _malformed("extensions.persistedQuery.sha256Hash is not the hash of query")
        trusted = self._find_trusted(reference)
        if trusted is not None:
            return self._documents.operation(trusted, name)
        if self._only:
            raise RequestError.of(Code.FORBIDDEN, "Only trusted documents are executed here", strict=True)
        if digest is not None:
            return self._automatic_operation(digest, text, name)
        if text is None:
            raise _malformed(_explain_unknown(reference.document_id or ""))
        return self._documents.operation(text, name)

    def find_new(self, reference: Reference, least: int) -> str | None:
        """The document's text, if it has `least` characters, was not read yet, and may be executed here."""
        text = reference.text
        if text is None and reference.apollo_hash is not None:
            text = self._automatic.find(reference.apollo_hash)
        if text is None or len(text) < least:
            # As nearly always: looking for it takes longer.
            return None
        return None if self._only or self._documents.is_known(text) else text

    def describe(self, document_id: str) -> TrustedDocument | None:
        """What a document of the manifest needs, if it is there. One with several operations is no query."""
        text = self._trusted.get(document_id)
        if text is None:
            return None
        try:
            operation = self._documents.operation(text, None)
        except RequestError:
            return TrustedDocument(is_query=False, scopes=frozenset(), required=frozenset())
        required = (
            definition.variable.name.value
            for definition in operation.node.variable_definitions or ()
            if isinstance(definition.type, NonNullTypeNode) and definition.default_value is None
        )
        return TrustedDocument(operation.type is OperationType.QUERY, operation.measure.scopes, frozenset(required))

    def read(self, text: str) -> Reading:
        """Parse, measure and validate a document. It may be called in another thread."""
        return self._documents.read(text)

    def keep(self, text: str, reading: Reading) -> None:
        """Keep what `read` returned."""
        self._documents.keep(text, reading)

    def _find_trusted(self, reference: Reference) -> str | None:
        """The manifest's document for a request, also if that has the whole text."""
        if reference.text is not None:
            return reference.text if reference.text in self._texts else None
        if reference.document_id is not None:
            return self._trusted.get(reference.document_id)
        # Apollo's clients send the `id` in the manifest, which need not be a hash.
        return self._trusted.get(f"{_PREFIX}{reference.apollo_hash}") or self._trusted.get(reference.apollo_hash or "")

    def _automatic_operation(self, digest: str, text: str | None, name: str | None) -> Operation:
        if text is not None:
            operation = self._documents.operation(text, name)
            # Sending the text again counts as a use, like sending the hash alone.
            if self._automatic.find(digest) is None:
                self._automatic.keep(digest, text, sys.getsizeof(text))
            return operation
        known = self._automatic.find(digest)
        if known is None:
            raise RequestError.of(Code.PERSISTED_QUERY_NOT_FOUND)
        return self._documents.operation(known, name)

    def _pin(self, text: str) -> None:
        try:
            self._documents.pin(text)
        except RequestError as error:
            identifier = next(key for key, value in self._trusted.items() if value == text)
            raise ConfigurationError(f"{_FILE}: document {identifier}: {error}") from None


def read_manifest(path: Path) -> dict[str, str]:
    """The texts of a manifest by their identifiers, each also by `sha256:` and its hash. Raises ConfigurationError.

    Takes an object of identifiers and texts, as the compiler of Relay and the client preset of GraphQL Code Generator
    write it, and Apollo's persisted query manifest. An identifier that is a SHA-256 must be that of its text. Others
    are accepted as they are: 32 digits may be an MD5, or an id of another store.
    """
    try:
        manifest = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{_FILE} cannot be read: {error}") from None
    texts: dict[str, str] = {}
    for identifier, text in _entries(manifest):
        if not (isinstance(identifier, str) and identifier and isinstance(text, str)):
            raise ConfigurationError(f"{_FILE}: document {identifier}: identifier and text must be strings")
        digest = _sha256(text)
        if _LOOKS_LIKE_SHA256.fullmatch(identifier) and identifier.removeprefix(_PREFIX) != digest:
            raise ConfigurationError(f"{_FILE}: document {identifier}: this is not the SHA-256 of its text")
        if texts.setdefault(identifier, text) != text:
            raise ConfigurationError(f"{_FILE}: document {identifier}: there are two of this identifier")
        texts[f"{_PREFIX}{digest}"] = text
    if not texts:
        raise ConfigurationError(f"{_FILE} has no documents")
    return texts


def _entries(manifest: Any) -> Iterable[tuple[Any, Any]]:
    """The identifiers and texts of a manifest, unchecked."""
    match manifest:
        case {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [*operations]}:
            return [_apollo_entry(operation) for operation in operations]
        case {"format": _}:
            raise ConfigurationError(f"{_FILE} has an unknown format")
        case dict():
            return manifest.items()
        case _:
            raise ConfigurationError(f"{_FILE} is not a JSON object")


def _apollo_entry(operation: Any) -> tuple[Any, Any]:
    return (operation.get("id"), operation.get("body")) if isinstance(operation, dict) else (operation, None)


def _malformed(message: str) -> RequestError:
    return RequestError.of(Code.BAD_USER_INPUT, message, strict=True)


def _explain_unknown(document_id: str) -> str:
    message = "There is no document with this documentId"
    if _HASH.fullmatch(document_id):
        message += ": the hash of an automatic persisted query belongs into extensions.persistedQuery.sha256Hash"
    return message


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
