"""The outermost layer: who may ask from a browser, and one answer to every request, JSON also where it ends badly."""

from __future__ import annotations

import asyncio
import ipaddress
import urllib.parse
from typing import TYPE_CHECKING, Final

import grpc
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from orders_service.api.grpc.status import status_of
from orders_service.api.rest import problem
from orders_service.api.rest.calls import CallFailed
from orders_service.api.rest.problem import Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READING: Final = ("GET", "HEAD", "OPTIONS")


class Front:
    """Keeps pages of other sites out, and turns what goes wrong inside into problem+json.

    Args:
        is_local: Listening on loopback only. Then nobody has to say who he is, so a page of another site must not get
            here by a name of its own that leads to this machine.
    """

    def __init__(self, inner: ASGIApp, *, is_local: bool) -> None:
        self._inner = inner
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"REST speaks HTTP only, not {scope['type']}.")
        has_begun = False

        async def note_begin(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            _check_caller(Headers(scope=scope), scope["method"], is_local=self._is_local)
            await self._inner(scope, receive, note_begin)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            # The service stops and its grace is over.
            if has_begun:
                raise
            await _stopping(scope["method"]).response()(scope, receive, note_begin)
        except Exception as error:
            found = problem_of(error, scope)
            if has_begun:
                # Too late for another answer: the connection ends before the answer's end.
                raise
            await found.response()(scope, receive, note_begin)


def problem_of(error: Exception, scope: Scope) -> Problem:
    """Say what is answered where the request ended with this error; what nobody thought of goes to the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, CallFailed):
        return problem.of_status(error.status)
    return problem.of_status(status_of(error, f"{scope['method']} {scope['path']}"))


def _stopping(method: str) -> Problem:
    sentence = "The service is stopping: send the same request again."
    if method in _READING:
        return problem.of_code(grpc.StatusCode.UNAVAILABLE, sentence)
    return problem.outcome_unknown(grpc.StatusCode.UNAVAILABLE, f"It isn't known whether it is done. {sentence}")


def _check_caller(headers: Headers, method: str, *, is_local: bool) -> None:
    """Refuse what only a page of another site would send.

    Raises:
        Problem: 403 or 421.
    """
    host = headers.get("host", "")
    if is_local and not _is_local_name(host):
        detail = f"This service is asked by the name of its own machine, not as {host!r}: use 127.0.0.1 or localhost."
        raise Problem(421, detail, code="PERMISSION_DENIED")
    if method in _READING:
        return
    origin = headers.get("origin")
    is_foreign = origin is not None and urllib.parse.urlsplit(origin).netloc.lower() != host.lower()
    if is_foreign or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise problem.of_code(grpc.StatusCode.PERMISSION_DENIED, "Pages of other sites may not call this service.")


def _is_local_name(host: str) -> bool:
    try:
        name = urllib.parse.urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or name.endswith(".localhost"):
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
