"""Answers that a client may keep, with an entity tag, and 304 for one that it has already.

Such an answer is kept by its client alone (`private`) and asked for again each time (`no-cache`): what it holds may
change at any moment, and so may who may know it. What is saved is the way, not the work.
"""

from __future__ import annotations

import hashlib
import re

from starlette.responses import Response

from gql.web.request import HttpRequest

_TAG = re.compile(r'"[^"]*"')


def revalidated(request: HttpRequest, response: Response) -> Response:
    """The response to a GET in a form that may be kept, or 304 where `If-None-Match` has its tag, weak or not.

    The tag is strong: it changes with every byte of the body, with the media type, and with the encoding.
    """
    form = f"{response.headers['content-type']}\n{'gzip' in request.header(b'accept-encoding')}\n"
    content = form.encode() + bytes(response.body)
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}
    held = ", ".join(request.lines(b"if-none-match"))
    if held.strip() == "*" or tag in _TAG.findall(held):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
