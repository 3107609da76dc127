"""Entity tags for responses that a client may cache, and 304 for one that it already has.

Such a response is cached only by its client (`private`) and revalidated each time (`no-cache`), because the data and
the client's rights may change at any time. This saves transfer, not computation.
"""

from __future__ import annotations

import hashlib
import re

from starlette.responses import Response

from gql.web.request import HttpRequest

_TAG = re.compile(r'"[^"]*"')


def revalidated(request: HttpRequest, response: Response) -> Response:
    """The response to a GET with an entity tag, or 304 if `If-None-Match` has that tag, weak or strong.

    The tag is strong: it changes with every byte of the body, with the media type, and with the encoding.
    """
    form = f"{response.headers['content-type']}\n{'gzip' in request.header(b'accept-encoding')}\n"
    content = form.encode() + bytes(response.body)
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}
    held = ", ".join(request.lines(b"if-none-match"))
    if held.strip() == "*" or tag in _TAG.findall(held):
        return Response(status_code=304, headers=headers)
    return Response(response.body, headers={**response.headers, **headers})
