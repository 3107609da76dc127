"""What a webhook endpoint may be on this server: its URL, its trusted document, its scopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.problem import Problem, ProblemCode
from db.scope import Viewer
from db.tables import WebhookEvent
from db.tables.webhook import MAX_DOCUMENT_ID, MAX_URL
from gql.security.address import AddressRules
from gql.security.secret import Secrets
from gql.security.token import SCOPES
from gql.settings import Settings, read_ports

# Every event is about a conversation.
LEAST_SCOPE = "inbox_read"
# The variables that a document of an endpoint may require, and the events that give them.
_OF_MESSAGES = frozenset(
    {
        WebhookEvent.MESSAGE_OUTGOING,
        WebhookEvent.MESSAGE_CREATED,
        WebhookEvent.MESSAGE_UPDATED,
        WebhookEvent.DELIVERY_FAILED,
    }
)
VARIABLES: Mapping[str, frozenset[WebhookEvent]] = {
    "conversationId": frozenset(WebhookEvent) - {WebhookEvent.TEST},
    "messageId": _OF_MESSAGES,
}


@dataclass(frozen=True, slots=True)
class TrustedDocument:
    """A document of the manifest, with what its only operation needs."""

    is_query: bool
    scopes: frozenset[str]
    required: frozenset[str]
    """Names of the variables without which it cannot be executed."""


class WebhookRules:
    """The rules for endpoints, from the settings. `find_document` finds a document of the manifest by its id.

    Raises `ConfigurationError` for malformed keys.
    """

    def __init__(self, settings: Settings, find_document: Callable[[str], TrustedDocument | None]) -> None:
        self.secrets = Secrets(settings)
        self.addresses = AddressRules(read_ports(settings.webhook_ports), settings.webhook_loopback)
        self._find_document = find_document

    def least_scopes(self, document_id: str | None) -> frozenset[str]:
        """The scopes that an endpoint with this document needs. One that cannot be used needs none of its own."""
        document = None if document_id is None else self._find_document(document_id)
        return frozenset({LEAST_SCOPE}) | (
            document.scopes if document is not None and document.is_query else frozenset()
        )

    def check(self, viewer: Viewer, values: Mapping[str, Any]) -> list[Problem]:
        """The problems of an endpoint with these `url`, `events`, `document_id` and `scopes` that `viewer` writes."""
        return [
            *self._url_problems(values["url"]),
            *_event_problems(values["events"]),
            *self._document_problems(values["document_id"], values["events"]),
            *self._scope_problems(viewer, values["scopes"], values["document_id"]),
        ]

    def _url_problems(self, url: str) -> list[Problem]:
        if len(url) > MAX_URL:
            return [_problem(ProblemCode.TOO_LONG, f"A URL has at most {MAX_URL} characters", "url")]
        refusal = self.addresses.refuse_url(url)
        return [] if refusal is None else [_problem(ProblemCode.INVALID, refusal, "url")]

    def _document_problems(self, document_id: str | None, events: list[WebhookEvent]) -> list[Problem]:
        if document_id is None:
            return []
        document = self._find_document(document_id) if len(document_id) <= MAX_DOCUMENT_ID else None
        if document is None:
            return [_problem(ProblemCode.NOT_FOUND, "There is no such trusted document", "documentId")]
        if not document.is_query:
            return [_problem(ProblemCode.INVALID, "The document of a webhook must be one query", "documentId")]
        asked = frozenset(events) - {WebhookEvent.TEST}
        if lacking := sorted(name for name in document.required if not asked <= VARIABLES.get(name, frozenset())):
            message = f"Not all of the events give the document's required variables: {', '.join(lacking)}"
            return [_problem(ProblemCode.INVALID, message, "documentId")]
        return []

    def _scope_problems(self, viewer: Viewer, scopes: Sequence[str], document_id: str | None) -> list[Problem]:
        unknown = [place for place, scope in enumerate(scopes) if scope not in SCOPES]
        if unknown:
            return [_problem(ProblemCode.INVALID, "There is no such scope", "scopes", str(place)) for place in unknown]
        if excess := sorted(frozenset(scopes) - viewer.scopes):
            message = f"The token does not have these scopes of the endpoint: {', '.join(excess)}"
            return [_problem(ProblemCode.INVALID, message, "scopes")]
        if lacking := sorted(self.least_scopes(document_id).difference(scopes)):
            return [
                _problem(ProblemCode.INVALID, f"The endpoint also needs the scopes: {', '.join(lacking)}", "scopes")
            ]
        return []


def _event_problems(events: list[WebhookEvent]) -> list[Problem]:
    return [] if events else [_problem(ProblemCode.BLANK, "Give at least one event", "events")]


def _problem(code: ProblemCode, message: str, *path: str) -> Problem:
    return Problem(code, message, ["input", *path])
