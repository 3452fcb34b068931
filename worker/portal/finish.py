"""The paid call: sent once, on a connection of its own that was opened before the gate.

    with client.prepare_finish(request) as paid:   # session, headers and body are ready; nothing was sent
        paid.open()                                # pause kept, connected
        ...                                        # the gate, in the orders service
        result = paid.send(lease.is_held)          # NotSent | Answered | Lost, never an error

An idle connection is closed by the portal after a while. So whoever was paused between the gate and the call finds the
connection closed and sends nothing: that is why there is no reconnecting, no retry and no redirect here, and no HTTP
client that would do any of it silently.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import re
import socket
import ssl
import threading
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias, cast
from urllib.parse import urlsplit

from worker.portal.errors import PaidCallMisused
from worker.portal.wire.answers import MAX_TEXT, Answer, read_retry_after
from worker.portal.wire.budget import PAID_CALLS
from worker.portal.wire.pacer import boottime_s
from worker.portal.wire.transport import SEARCH_PAGE, Call, Transport, translate

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_logger = logging.getLogger(__name__)

# Today's numbers and those of the old service. Anything else in the answer is kept as text and expected nowhere.
_NUMBER: Final = re.compile(r"OfSite-\d{4}-\d{2}-\d{2}-\d{5,8}-\d{2}-\d{2}|80-\d{8,9}", re.ASCII)
_MAX_BODY_BYTES: Final = 1024 * 1024
_TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishRequest:
    """What is ordered: the uploaded statement, by the ids in the journal."""

    super_package_guid: str
    person_oid: str
    access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """No byte of the call left this machine: nothing can have been charged by it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer came, whichever. None of them, a 4xx no more than a 5xx, proves that nothing was charged."""

    status: int
    #: The body, at most 2000 characters.
    text: str
    #: The number in the body where it has one: says which row of the list to expect, no more.
    expected_number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The call may have been sent, wholly or in part, and no whole answer came: it may have been charged."""

    reason: str
    #: The answer's status where it came so far.
    status: int | None = None


SendResult: TypeAlias = NotSent | Answered | Lost


class PaidCall:
    """One paid call. Opened once, sent once, for one passing of the gate; not for several threads.

    A crash between `open` and `send` has sent nothing; one after `send` began must be taken for sent.
    """

    def __init__(self, transport: Transport, request: FinishRequest) -> None:
        self._transport = transport
        call = Call(
            step="finish",
            method="POST",
            path="/account-request/statement/finish",
            body={
                "superPackageGuid": request.super_package_guid,
                "esiaUserId": request.person_oid,
                "subjectObject": "",
                "packageType": transport.settings.package_type,
                "accessKey": request.access_key,
            },
            referer=SEARCH_PAGE,
        )
        # Built before the gate: nothing but looking and sending stands between it and the first byte.
        self._payload = _serialize(transport, call)
        self._socket: socket.socket | None = None
        self._opened_s = 0.0
        self._is_opened = False
        self._is_sent = False
        self._once = threading.Lock()

    def __enter__(self) -> PaidCall:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Keep the account's pause, then connect. To be done before the gate, and sent right after it.

        Raises:
            PaidCallMisused: It was opened before.
            RateLimited: The pause is longer than we wait here, or the day has too few calls left.
            PortalUnavailable, PersonNeeded: No connection, or none that can be trusted. Nothing was sent.
        """
        with self._once:
            if self._is_opened:
                raise PaidCallMisused("This paid call was opened before: prepare a fresh one.")
            self._is_opened = True
        # Once it is sent, the reading after it must not find the day's calls used up.
        self._transport.budget.need(PAID_CALLS, self._transport.sleep)
        self._transport.start_call()
        try:
            self._socket = _connect(self._transport)
        except OSError as exc:  # also every error of TLS
            raise translate(exc, "finish (connecting)", self._transport.pacer) from exc
        self._opened_s = boottime_s()
        self._transport.is_paying = True

    def send(self, is_lease_held: Callable[[], bool]) -> SendResult:
        """Send the call, unless the lease or the connection is gone, and say what came of it.

        Args:
            is_lease_held: Asked directly before the first byte. It must not raise; where it does, nothing was sent.

        Raises:
            PaidCallMisused: It was never opened, or sent before. This call of `send` sent nothing.
        """
        with self._once:
            if self._socket is None:
                raise PaidCallMisused("This paid call isn't open.")
            if self._is_sent:
                raise PaidCallMisused("This paid call was used before: it is never sent again.")
            self._is_sent = True
        connection = self._socket
        try:
            result = self._send_on(connection, is_lease_held)
        finally:
            self.close()
        _logger.info(
            "paid call",
            extra={
                "event": "portal_paid_call",
                "outcome": type(result).__name__,
                "status": None if isinstance(result, NotSent) else result.status,
            },
        )
        return result

    def close(self) -> None:
        """Close the connection. Harmless at any time, and it sends nothing."""
        if self._socket is not None:
            self._socket.close()

    def _send_on(self, connection: socket.socket, is_lease_held: Callable[[], bool]) -> SendResult:
        settings = self._transport.settings
        pacer = self._transport.pacer
        if (remaining_s := pacer.remaining_s()) > 0:
            return NotSent(
                reason=f"Another call of the account came in between: {remaining_s:.1f} s of pause are left."
            )
        age_s = boottime_s() - self._opened_s
        if age_s > settings.finish_connection_age_s:
            return NotSent(reason=f"The connection waited {age_s:.0f} s for the gate, which is too long.")
        if not is_lease_held():
            return NotSent(reason="The lease was lost before the first byte.")
        # Last of all: a pause before this line shows here, as a connection that the portal has closed.
        if (closed := _find_closed(connection)) is not None:
            return NotSent(reason=closed)
        try:
            connection.settimeout(settings.finish_timeout_s)
            connection.sendall(self._payload)
        except OSError as exc:
            # How many bytes left, nobody knows.
            return Lost(reason=f"The call broke while it was sent: {_describe(exc)}.")
        finally:
            pacer.mark()
        return self._receive(connection)

    def _receive(self, connection: socket.socket) -> Answered | Lost:
        deadline_s = boottime_s() + self._transport.settings.finish_timeout_s
        response = http.client.HTTPResponse(
            cast("socket.socket", _DeadlineSocket(connection, deadline_s)), method="POST"
        )
        status: int | None = None
        try:
            response.begin()
            status = response.status
            body = response.read(_MAX_BODY_BYTES)
            if response.length and len(body) < _MAX_BODY_BYTES:
                # With a size given, http.client returns a cut body as if it were whole.
                raise http.client.IncompleteRead(body, response.length)
        except (OSError, ValueError, http.client.HTTPException) as exc:
            return Lost(reason=f"No whole answer came: {_describe(exc)}.", status=status)
        finally:
            response.close()
        try:
            self._note(response, status)
        except Exception as exc:
            # Whatever stands in its headers: what the paid call was answered must not get lost over it.
            _logger.warning(
                "what the paid call's answer says besides can't be read",
                extra={"event": "portal_paid_call_odd", "error_type": type(exc).__name__},
            )
        content_type = response.headers.get("Content-Type", "").lower()
        answer = Answer(
            step="finish", status=status, content_type=content_type, content=body, origin=self._transport.origin
        )
        return Answered(status=status, text=answer.text[:MAX_TEXT], expected_number=_find_number(answer))

    def _note(self, response: http.client.HTTPResponse, status: int) -> None:
        """What the answer says besides: new cookies, and a pause that binds the calls after it."""
        self._transport.cookies.jar.extract_cookies(
            response, urllib.request.Request(self._transport.origin + "/account-request/statement/finish")
        )
        retry_after_s = read_retry_after(
            response.headers.get("Retry-After"), now=datetime.now(UTC), date=response.headers.get("Date")
        )
        if status == _TOO_MANY:
            self._transport.pacer.note_limit("finish", retry_after_s)
        elif retry_after_s is not None:
            self._transport.pacer.hold(retry_after_s)


class _DeadlineSocket:
    """The reading side of a socket with one deadline for the whole answer, however it trickles in."""

    def __init__(self, connection: socket.socket, deadline_s: float) -> None:
        self._connection = connection
        self._deadline_s = deadline_s

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._connection, self._deadline_s))


class _DeadlineReader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline_s: float) -> None:
        super().__init__()
        self._connection = connection
        self._deadline_s = deadline_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        remaining_s = self._deadline_s - boottime_s()
        if remaining_s <= 0:
            raise TimeoutError("the time for an answer is over")
        self._connection.settimeout(remaining_s)
        return self._connection.recv_into(buffer)


def _connect(transport: Transport) -> socket.socket:
    parts = urlsplit(transport.origin)
    host = parts.hostname or ""
    is_tls = parts.scheme == "https"
    connection = socket.create_connection(
        (host, parts.port or (443 if is_tls else 80)), timeout=transport.settings.connect_timeout_s
    )
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return transport.ssl_context.wrap_socket(connection, server_hostname=host) if is_tls else connection
    except BaseException:
        connection.close()
        raise


def _find_closed(connection: socket.socket) -> str | None:
    """Say why the connection is of no use any more, or None while it is quiet and open.

    It is read from, not only polled: over TLS the server's session tickets make a healthy socket readable, and reading
    takes them in without giving us a byte. On an unused connection anything else, a byte, an end or an error, means
    that it is over.
    """
    try:
        connection.setblocking(False)
        received = connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
    except OSError as exc:
        return f"The connection broke before the first byte: {_describe(exc)}."
    if received:
        return "The portal spoke on the connection before the first byte."
    return "The portal closed the connection before the first byte."


def _serialize(transport: Transport, call: Call) -> bytes:
    """Return the request as the bytes of HTTP/1.1, with the headers and cookies of every other call."""
    request = transport.build_request(call)
    request.headers["Connection"] = "close"
    # The answer is read as it comes: no compression.
    request.headers["Accept-Encoding"] = "identity"
    lines = [b"POST " + request.url.raw_path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n" + request.content


def _find_number(answer: Answer) -> str | None:
    text = answer.text.strip()
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            return None
        text = value.strip() if isinstance(value, str) else ""
    return text if _NUMBER.fullmatch(text) else None


def _describe(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
