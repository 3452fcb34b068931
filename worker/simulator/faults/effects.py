"""What a fault makes of an answer, and answers that break the connection instead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, RedirectResponse, Response

from worker.simulator import answers
from worker.simulator.faults import patching

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from worker.simulator.connections import ConnectionTable
    from worker.simulator.faults.fault import Fault, Met

_PIECES = 20


def instead(met: Met, connections: ConnectionTable) -> Response | None:
    """The answer that comes in place of the right one; None for faults that only take time or change the right one."""
    response = _instead(met.kind, met.fault, connections)
    if response is not None and met.fault.retry_after_s is not None:
        response.headers["Retry-After"] = str(met.fault.retry_after_s)
    return response if response is None else patching.with_headers(response, met.fault.headers)


def _instead(kind: str, fault: Fault, connections: ConnectionTable) -> Response | None:
    match kind:
        case "status" | "status_after_charge":
            said = fault.body or "Unsuccessful status come from fgis egrn request client"
            return answers.problem(fault.status or 500, said)
        case "html":
            return HTMLResponse(fault.body or answers.SHELL, status_code=fault.status or 200)
        case "maintenance":
            return HTMLResponse(answers.MAINTENANCE, status_code=fault.status or 503)
        case "waf":
            return HTMLResponse(answers.FORBIDDEN, status_code=403)
        case "captcha":
            return HTMLResponse(answers.CAPTCHA)
        case "anomaly":
            return HTMLResponse(answers.ANOMALY)
        case "session_expired":
            return answers.problem(401, answers.SESSION_EXPIRED)
        case "login_redirect":
            return RedirectResponse("/login", status_code=302)
        case "forbidden":
            return answers.problem(403, fault.body or "Доступ запрещён")
        case "rate_limit":
            return answers.problem(429, answers.TOO_SOON, retry_after_s=5)
        case "answer":
            media_type = fault.content_type or "text/html; charset=utf-8"
            return Response(
                (fault.body or "").encode(fault.charset or "utf-8", "replace"),
                status_code=fault.status or 200,
                headers={"content-type": media_type},
            )
        case "reset" | "reset_after_charge":
            return BrokenConnection(connections, is_reset=True)
        case "close" | "lost_answer_before_charge" | "lost_answer_after_charge":
            return BrokenConnection(connections, is_reset=False)
        case _:
            return None


async def spoiled(met: Met, response: Response, connections: ConnectionTable) -> Response:
    """What becomes of the right answer of a call that was processed."""
    fault = met.fault
    match met.kind:
        case "delay":
            await asyncio.sleep(fault.seconds)
            return response
        case "cut_answer":
            return CutAnswer(response, connections)
        case "drip":
            return Drip(response, seconds=fault.seconds)
        case "patch":
            return patching.patched(response, fault)
        case "recode":
            return patching.recoded(response, fault)
        case "headers":
            return patching.with_headers(response, fault.headers)
        case _:
            return instead(met, connections) or response


class BrokenConnection(Response):
    """No answer: the connection ends."""

    def __init__(self, connections: ConnectionTable, *, is_reset: bool) -> None:
        super().__init__()
        self._connections = connections
        self._is_reset = is_reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close or reset the connection, unless the client was first."""
        connection = self._connections.find(scope)
        if connection is None:
            return
        if self._is_reset:
            await connection.reset()
        else:
            await connection.close()


class CutAnswer(Response):
    """An answer that promises its whole length and ends in the middle."""

    def __init__(self, whole: Response, connections: ConnectionTable) -> None:
        super().__init__()
        self._whole = whole
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the body, then close."""
        whole = self._whole
        body = bytes(whole.body)
        await send({"type": "http.response.start", "status": whole.status_code, "headers": whole.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        connection = self._connections.find(scope)
        if connection is not None:
            await connection.close()


class Drip(Response):
    """A whole answer that takes its time: its body comes in small pieces."""

    def __init__(self, whole: Response, *, seconds: float) -> None:
        super().__init__()
        self._whole = whole
        self._pause_s = seconds / _PIECES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send piece after piece."""
        body = bytes(self._whole.body)
        size = max(1, -(-len(body) // _PIECES))
        await send(
            {"type": "http.response.start", "status": self._whole.status_code, "headers": self._whole.raw_headers}
        )
        for at in range(0, max(len(body), 1), size):
            await asyncio.sleep(self._pause_s)
            await send({"type": "http.response.body", "body": body[at : at + size], "more_body": at + size < len(body)})
