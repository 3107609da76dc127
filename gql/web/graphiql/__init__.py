"""GraphiQL in the browser; all of its files come from this server.

The page, its script and its style are in this folder; React, GraphiQL and its explorer come from the installed package
`graphene-django-graphiql-static`, if each file has the SHA-256 that is listed here.

The content security policy allows no inline code except one known style, no other host and no frames; the page is not
cached. The page's script (page.js) keeps the typed operations, but never a token, in the browser's storage. It sends
one token with the operations of all tabs.
"""

from __future__ import annotations

import hashlib
import string
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gql.settings import Settings

_VENDOR: Final = "graphene_django_graphiql_static"

# In the order of loading: each script uses those before it.
_VENDOR_SHA256: Final = {
    "react.production.min.js": "229bbf4d0e7488209564152c6723497f1ac3934136ca1684233d2fa88fa4146f",
    "react-dom.production.min.js": "9db33292007ab6c38527b39d5663e976a305564e19b2a5a8713ea2b2c00f505d",
    "graphiql.min.js": "c564de05b95d184e2c5ba5ceaf2635821f6bf92f2d5777b74d91004ff6b591d1",
    "graphiql-plugin-explorer.umd.js": "de152e8415dd5e57c28fa45378490916d121fe4506f9308301216914f2ebcef1",
    "graphiql.min.css": "c6cd4b83f01c5e1ff4975d77bc957184dce6dec0155fbf9cc4d9190eba8a7b9d",
    "style.css": "7c0d0b3d496e90c351e8be123d2785a834d86aff107568d0da7af9e7d6659f55",
}
_OWN_NAMES: Final = ("page.js", "page.css", "icon.svg")
_MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_LINKS: Final = {
    ".js": '<script src="{}" defer></script>',
    ".css": '<link rel="stylesheet" href="{}">',
    ".svg": '<link rel="icon" href="{}">',
}

# GraphiQL's dialogs insert one `<style>` that stops the body from scrolling. With page.css the body never scrolls, so
# its text is always the same, and its hash can be allowed instead of all inline styles.
_DIALOG_STYLE: Final = "'sha256-Y/huXlwoYkVyQlxwSVcCi1RCDGDCSVBzDt0hYP9qlTc='"
_POLICY: Final = "; ".join((
    "default-src 'none'",
    "script-src 'self'",
    f"style-src 'self' {_DIALOG_STYLE}",
    "connect-src 'self'",
    "font-src data:",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
))  # fmt: skip
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The demo's page carries a token.
    "Cache-Control": "no-store",
}
_ASSET_HEADERS: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    # The path has the content's hash, so another content has another path.
    "Cache-Control": "public, max-age=31536000, immutable",
}

# page.js removes the sender for a user who writes as a host, and the channel where the conversation has one.
_REPLY: Final[dict[str, object]] = {
    "conversationId": "a conversation's id",
    "senderId": "a sender's id",
    "channel": "EMAIL",
    "content": "Welcome!",
    "idempotencyKey": "a key",
}
# The tabs of a first visit, left to right. GraphiQL does not display the variables of the first tab until another one
# was selected, so the first has none. page.js replaces the placeholders with what the token's account has.
_EXAMPLES: Final[tuple[tuple[str, dict[str, object] | None], ...]] = (
    ("open_conversations", None),
    ("list_the_inbox", {"first": 25, "filter": {"markedAsSpam": False}}),
    ("next_page", {"first": 5, "after": None}),
    ("read_the_thread", {"messages": 25}),
    ("fill_the_pickers", None),
    ("sync_the_phone", {"after": None}),
    ("waiting_guests", {"filter": {"needsReply": True}}),
    ("reply", {"input": _REPLY}),
    ("close_conversation", {"input": {"conversationId": "a conversation's id", "closed": True}}),
    ("connect_bookings", {"input": {"conversationId": "a conversation's id", "bookingIds": ["a booking's id"]}}),
    ("follow_changes", None),
)


def graphiql_routes(settings: Settings) -> list[BaseRoute]:
    """Routes below `/graphiql/` for the files that the page loads; none if GraphiQL is off.

    Reads the files into memory (1.6 MB). Raises RuntimeError if a file of the package has another SHA-256.
    """
    if not settings.graphiql:
        return []
    contents = {_path(name, sha256): _vendor(name, sha256) for name, sha256 in _VENDOR_SHA256.items()}
    contents |= {_path(name, _sha256(_own(name))): _own(name) for name in _OWN_NAMES}

    async def serve(request: Request) -> Response:
        name: str = request.path_params["name"]
        content = contents.get(_path(name, request.path_params["digest"]))
        if content is None:
            return Response(status_code=404)
        return Response(content, media_type=_MEDIA_TYPES[PurePath(name).suffix], headers=_ASSET_HEADERS)

    return [Route("/graphiql/{digest}/{name}", serve, name="graphiql")]


def graphiql_page(token: str | None, *, introspection: bool) -> Response:
    """Return the page: the examples in tabs, and `token` in the field for it, if there is one."""
    start = orjson.dumps({"tabs": _tabs(), "token": token, "introspection": introspection}).decode()
    # Only `<` can end a script element or begin a comment in it.
    html = _template().substitute(links=_links(), start=start.replace("<", "\\u003c"))
    return Response(html, media_type="text/html", headers=_PAGE_HEADERS)


def _vendor(name: str, sha256: str) -> bytes:
    content = files(_VENDOR).joinpath("static", _VENDOR, name).read_bytes()
    found = _sha256(content)
    if found != sha256:
        raise RuntimeError(
            f"GraphiQL is not served: {name} of the package graphene-django-graphiql-static has the SHA-256 {found} "
            f"instead of {sha256}. Install version 0.8 of it again."
        )
    return content


def _own(name: str) -> bytes:
    return files(__name__).joinpath(name).read_bytes()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _path(name: str, sha256: str) -> str:
    """Relative to the page, so that a proxy may put a prefix before both."""
    return f"graphiql/{sha256}/{name}"


@cache
def _links() -> str:
    hashes = _VENDOR_SHA256 | {name: _sha256(_own(name)) for name in _OWN_NAMES}
    return "\n".join(_LINKS[PurePath(name).suffix].format(_path(name, sha256)) for name, sha256 in hashes.items())


@cache
def _template() -> string.Template:
    return string.Template(_own("page.html").decode())


@cache
def _tabs() -> tuple[dict[str, str | None], ...]:
    return tuple(
        {
            "query": _own(f"examples/{name}.graphql").decode(),
            "variables": None if variables is None else _pretty(variables),
        }
        for name, variables in _EXAMPLES
    )


def _pretty(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
