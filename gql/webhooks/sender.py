"""One attempt to deliver: the request, and the meaning of its result."""

from __future__ import annotations

import email.utils
import errno
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from aiohttp import ClientConnectorCertificateError, ClientConnectorDNSError, ClientError, ClientOSError, ClientSession
from yarl import URL

from db.queries.webhook.lease import Attempt
from db.statement import Row
from db.tables import WebhookState
from gql.errors import Code, RequestError
from gql.execution.operation import Pipeline
from gql.log import TASK_FAILURES
from gql.security.address import AddressRules
from gql.security.secret import Secrets
from gql.settings import ConfigurationError
from gql.webhooks.connection import is_refusal
from gql.webhooks.payload import compose
from gql.webhooks.schedule import Schedule
from gql.webhooks.signature import headers

GONE: Final = 410
_AGENT = "inbox-graphql"
# Bytes of an answer that are read, and characters of its start that are stored.
_READ = 65_536
_STORED = 1_000
_MAX_ERROR = 500
# Errors of the system when this process or this machine has no file or memory left for a connection.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# Codes of documents that could not be executed for a reason that is not the endpoint's.
_OURS = {Code.SERVICE_UNAVAILABLE, Code.TIMEOUT, Code.INTERNAL_SERVER_ERROR}


@dataclass(slots=True)
class Sent:
    """The result of an attempt. Without `status` and `error`, it was not made."""

    status: int | None = None
    answer: str | None = None
    error: str | None = None
    retry_after: float | None = None
    """Seconds that the receiver, or the endpoint's own limit, asks to wait."""
    is_ours: bool = False
    """Whether the attempt failed here, so that the endpoint is not to blame."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.perf_counter)

    @property
    def succeeded(self) -> bool:
        """Whether the receiver has accepted the delivery."""
        return self.status is not None and 200 <= self.status < 300 and self.error is None  # noqa: PLR2004

    def attempt(self, delivery: Row, schedule: Schedule) -> Attempt:
        """What is recorded."""
        is_failure = not self.succeeded and not self.is_ours
        wait = schedule.wait(delivery.failures + 1, self.retry_after) if is_failure else self._pause(schedule)
        state = WebhookState.PENDING
        if self.succeeded:
            state = WebhookState.DELIVERED
        elif wait is None:
            state = WebhookState.FAILED
        return Attempt(
            delivery.account_id,
            delivery.endpoint_id,
            delivery.id,
            delivery.attempt_count,
            self.at,
            round((time.perf_counter() - self.started) * 1_000),
            self.status,
            self.answer,
            None if self.error is None else self.error[:_MAX_ERROR],
            state,
            wait or 0.0,
            is_failure,
        )

    def _pause(self, schedule: Schedule) -> float:
        return schedule.unable if self.retry_after is None else self.retry_after


class Sender:
    """Makes attempts. What an attempt raises besides its cancellation is a defect."""

    def __init__(
        self, session: ClientSession, rules: AddressRules, secrets: Secrets, pipeline: Pipeline, schedule: Schedule
    ) -> None:
        self._session = session
        self._rules = rules
        self._secrets = secrets
        self._pipeline = pipeline
        self._schedule = schedule

    async def send(self, delivery: Row, requesting: Callable[[], AbstractContextManager[None]]) -> Sent:
        """Compose the payload of a delivery, and send it. The request is made in the block of `requesting`."""
        result = Sent()
        if reason := self._rules.refuse_url(delivery.url):
            result.error = reason
            return result
        try:
            keys = self._secrets.signing_keys(delivery)
            body = await compose(self._pipeline, delivery)
        except ConfigurationError:
            TASK_FAILURES["webhook secrets"] += 1
            result.error, result.is_ours = "The server cannot read the endpoint's secret", True
        except RequestError as error:
            result.error = f"The document was not executed: {error}"
            result.is_ours = error.code in _OURS or error.code is Code.RATE_LIMITED
            result.retry_after = error.retry_after if error.code is Code.RATE_LIMITED else None
        else:
            # The time of the attempt is that of the request.
            result = Sent()
            signed = headers(keys, delivery.message_id, int(result.at.timestamp()), body)
            with requesting():
                await self._request(result, delivery.url, signed, body)
        return result

    async def _request(self, result: Sent, url: str, signed: Mapping[str, str], body: bytes) -> None:
        sent = {**signed, "Content-Type": "application/json", "User-Agent": _AGENT, "Accept-Encoding": "identity"}
        try:
            # Not quoted again: what was checked is what is requested.
            async with self._session.post(
                URL(url, encoded=True), data=body, headers=sent, allow_redirects=False
            ) as response:
                result.status = response.status
                result.retry_after = _seconds(response.headers.get("Retry-After"))
                read = await response.content.read(_READ)
                while len(read) < _READ and (more := await response.content.read(_READ - len(read))):
                    read += more
                result.answer = read.decode(errors="replace")[:_STORED].replace("\0", "\ufffd")
                if not response.content.at_eof():
                    # What the rest of the answer is does not matter, and reading it would cost both sides.
                    response.close()
        except TimeoutError:
            result.error = f"No answer within {self._schedule.timeout:g} seconds"
        except (ClientError, OSError, ValueError) as error:
            result.error, result.is_ours = _describe(error), _is_ours(error)
        if result.error is None and 300 <= (result.status or 0) < 400:  # noqa: PLR2004
            result.error = "Redirects are not followed"


def _seconds(retry_after: str | None) -> float | None:
    """The seconds that a `Retry-After` asks for, as a number or a date; None without a valid one."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
        return max(0.0, moment.timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error of a connection, and those that led to it."""
    while error is not None:
        yield error
        error = getattr(error, "os_error", None) or error.__cause__


def _is_ours(error: Exception) -> bool:
    """Whether this process could not open a socket, which says nothing about the endpoint."""
    return any(isinstance(cause, OSError) and cause.errno in _EXHAUSTED for cause in _causes(error))


def _describe(error: Exception) -> str:
    """The reason for the account. It contains neither addresses nor texts of libraries that could quote a secret."""
    for cause in _causes(error):
        if is_refusal(cause):
            return str(cause)
    if _is_ours(error):
        return "The server could not open a connection"
    if isinstance(error, ClientConnectorCertificateError):
        return "The certificate is not valid for this host"
    if isinstance(error, ClientConnectorDNSError):
        return "The host's name has no address"
    if isinstance(error, ClientOSError) and error.strerror:
        return f"The connection failed: {error.strerror}"
    return f"The connection failed: {type(error).__name__}"


def stopped() -> Sent:
    """The result of an attempt that ended because the worker stopped. It follows at once in another worker."""
    return Sent(error="The worker stopped before the answer arrived", is_ours=True, retry_after=0.0)


def failed() -> Sent:
    """The result of an attempt that a defect ended."""
    return Sent(error="The server could not make the attempt", is_ours=True)
