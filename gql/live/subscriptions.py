"""Opens operations for transports with several results: a subscription as a stream, others as their result."""

from __future__ import annotations

import re
from collections.abc import Hashable

import orjson
from graphql import FieldNode, OperationDefinitionNode, OperationType, VariableNode

from db import changes
from db.cache import Cache
from db.changes import ChangePosition
from db.engine import Database
from db.scope import Viewer
from gql.errors import ClientError, Code, RequestError
from gql.execution.call import Call, Parameters
from gql.execution.operation import Pipeline, Result
from gql.execution.record import Record
from gql.fields.change import read_cursor, read_selection, resync_required, write_cursor
from gql.live.feed import anonymous
from gql.live.group import Document
from gql.live.hub import Hub
from gql.live.stream import Stream

_AFTER = "after"
# The most operations whose variable of `after` is cached, and the most characters of their texts.
_MAX_KEPT = 1_000
_MAX_KEPT_BYTES = 1_048_576


class Subscriptions:
    """Opens operations for transports that can send several results."""

    def __init__(self, pipeline: Pipeline, database: Database, hub: Hub) -> None:
        self._pipeline = pipeline
        self._database = database
        self._hub = hub
        # The variable of `after` by text and name of an operation; empty without one.
        self._beginnings: Cache[tuple[str, str | None], str] = Cache(_MAX_KEPT, _MAX_KEPT_BYTES)
        self.aside = pipeline.aside

    async def open(
        self,
        parameters: Parameters,
        viewer: Viewer,
        record: Record,
        *,
        resume: str | None = None,
        expires: float | None = None,
    ) -> Result | Stream:
        """The result of a query or mutation, or the stream of a subscription, which the caller must close.

        Everything that `Pipeline.answer` checks is checked here, before the first event, and raises RequestError; so do
        arguments of the subscription and a cursor that cannot be continued. Nothing else is raised. `record` is filled,
        and must be written when this returns: a stream logs its end itself.

        `resume` is the cursor of the last event that the client got in an earlier stream; it takes the place of the
        document's `after`. `expires` is the end of the token, in seconds since the epoch: the stream ends then.
        """
        call = await self._pipeline.prepare(parameters, viewer, record)
        if call.operation.type is not OperationType.SUBSCRIPTION:
            return await self._pipeline.run(call, viewer, record)
        try:
            return await self._subscribe(call, viewer, resume, expires)
        except RequestError as error:
            record.count(error.errors)
            raise
        except ClientError as error:
            refusal = RequestError.of(Code((error.extensions or {})["code"]), error)
            record.count(refusal.errors)
            raise refusal from None
        except Exception as error:
            failure = RequestError.masking(error)
            record.count(failure.errors)
            raise failure from error

    async def _subscribe(self, call: Call, viewer: Viewer, resume: str | None, expires: float | None) -> Stream:
        arguments = self._pipeline.root_arguments(call)
        selection = read_selection(viewer, arguments)
        after = resume if resume is not None else arguments.get(_AFTER)
        begin = None if after is None else read_cursor(viewer, after)
        head = await self._head(viewer, begin)
        position = head if begin is None else begin
        is_personal = call.operation.measure.personal.of(call.variables.coerced) > 0
        executed_as = viewer if is_personal else anonymous(viewer.account_id, viewer.scopes)
        key = self._key(call, executed_as)
        stream = Stream(viewer, write_cursor(viewer, position), lambda stream: self._hub.leave(stream, key))
        if expires is not None:
            stream.expire_at(expires)
        self._hub.subscribe(
            stream, key, Document(call, executed_as, selection, self._pipeline.run_event), head, position.number
        )
        return stream

    async def _head(self, viewer: Viewer, begin: ChangePosition | None) -> ChangePosition:
        """The end of the log. Raises `ClientError` if the log cannot be continued from `begin`."""
        snapshot = self._database.snapshot_for(viewer, in_transaction=False)
        try:
            return await changes.check_head(snapshot, viewer, begin)
        except changes.ResyncRequiredError:
            raise resync_required() from None
        finally:
            await snapshot.close()

    def _key(self, call: Call, executed_as: Viewer) -> Hashable:
        """The key of subscriptions with equal results.

        A variable that is used only for `after` is not part of it, because it determines only the beginning. So clients
        that reconnect share executions with the others.
        """
        operation = call.operation
        text = operation.text
        named = text, operation.name
        beginning = self._beginnings.find(named)
        if beginning is None:
            beginning = _beginning(operation.node, text) or ""
            self._beginnings.keep(named, beginning, len(text))
        given = {name: value for name, value in call.given.items() if name != beginning}
        return *named, orjson.dumps(given, option=orjson.OPT_SORT_KEYS), executed_as


def _beginning(operation: OperationDefinitionNode, text: str) -> str | None:
    """The variable that is used for `after` of the root field, and nowhere else in the document."""
    field = operation.selection_set.selections[0]
    if not isinstance(field, FieldNode):
        return None
    value = next((argument.value for argument in field.arguments or () if argument.name.value == _AFTER), None)
    if not isinstance(value, VariableNode):
        return None
    name = value.name.value
    # Its definition and this use. Walking through the document would take as long as reading it.
    return name if len(re.findall(rf"\${name}\b", text)) == 2 else None  # noqa: PLR2004
