"""Answers that the portal's framework gives by itself, and those that break the connection instead."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from worker.simulator.connections import ConnectionTable
    from worker.simulator.errors import Refusal
    from worker.simulator.faults import Fault

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
SESSION_EXPIRED = "Время сессии истекло. Пожалуйста, обновите страницу"


def _page(title: str, body: str) -> str:
    return f'<!DOCTYPE html>\n<html lang="ru"><head><title>{title}</title></head><body>{body}</body></html>\n'


# What the portal shows to people, and what comes where JSON was due when something is wrong.
SHELL = _page("Росреестр", '<div id="root"></div><script src="/static/app.js"></script>')
MAINTENANCE = _page("Технические работы", "<h1>Ведутся технические работы</h1><p>Сервис временно недоступен.</p>")
FORBIDDEN = _page("Forbidden", "<h1>Forbidden</h1><p>Request ID: 0000000000000000, rule: 000000</p>")
CAPTCHA = _page("Госуслуги", '<p>Введите код с картинки</p><img src="captcha.png" alt=""><input name="captcha">')
ANOMALY = _page("Госуслуги", "<p>Подтвердите, что это вы<br>Укажите город, в котором вы родились</p><input>")
ESIA = _page("Госуслуги", '<form><input name="login"><input name="password" type="password"></form>')


def problem(status: int, message: str, *, field: str | None = None, retry_after_s: int | None = None) -> Response:
    """A JSON error; `field` is there when one is wrong."""
    phrase = _PHRASES.get(status, "Unknown")
    body: dict[str, object] = {"status": status, "error": phrase, "message": message}
    if field is not None:
        body["field"] = field
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return JSONResponse(body, status_code=status, headers=headers)


def of_refusal(refusal: Refusal) -> Response:
    """What an endpoint's refusal looks like on the wire."""
    return problem(refusal.status, refusal.message, field=refusal.field, retry_after_s=refusal.retry_after_s)


def of_fault(fault: Fault, connections: ConnectionTable) -> Response | None:
    """What a general fault answers; None for those that only take time."""
    match fault.kind:
        case "status" | "status_after_charge":
            return problem(fault.status or 500, fault.body or "Unsuccessful status come from fgis egrn request client")
        case "html":
            return HTMLResponse(fault.body or SHELL, status_code=fault.status or 200)
        case "maintenance":
            return HTMLResponse(MAINTENANCE, status_code=fault.status or 503)
        case "waf":
            return HTMLResponse(FORBIDDEN, status_code=403)
        case "captcha":
            return HTMLResponse(CAPTCHA)
        case "anomaly":
            return HTMLResponse(ANOMALY)
        case "session_expired":
            return problem(401, SESSION_EXPIRED)
        case "login_redirect":
            return RedirectResponse("/login", status_code=302)
        case "forbidden":
            return problem(403, fault.body or "Доступ запрещён")
        case "rate_limit":
            return problem(429, "Превышен интервал между запросами", retry_after_s=fault.retry_after_s)
        case "answer":
            return Response(fault.body or "", status_code=fault.status or 200, media_type=fault.content_type)
        case "reset" | "reset_after_charge":
            return BrokenConnection(connections, is_reset=True)
        case "close" | "lost_answer_before_charge" | "lost_answer_after_charge":
            return BrokenConnection(connections, is_reset=False)
        case _:
            return None


class NoAnswer(Response):
    """Nothing at all: there is nobody left to answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


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
