"""Answers that the portal's framework gives by itself, and the pages that it shows to people."""

from __future__ import annotations

import html
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from worker.simulator.errors import SimulatorError
from worker.simulator.settings import ExpiredAnswer

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from worker.simulator.errors import Refusal

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
SESSION_EXPIRED = "Время сессии истекло. Пожалуйста, обновите страницу"
TOO_SOON = "Превышен интервал между запросами"


def escaped(text: str) -> str:
    """Text for HTML."""
    return html.escape(text)


def page(title: str, body: str) -> str:
    """A whole page of HTML; the title is escaped, the body is as it is."""
    title = escaped(title)
    return f'<!DOCTYPE html>\n<html lang="ru"><head><title>{title}</title></head><body>{body}</body></html>\n'


# What the portal shows to people, and what comes where JSON was due when something is wrong.
SHELL = page("Росреестр", '<div id="root"></div><script src="/static/app.js"></script>')
MAINTENANCE = page("Технические работы", "<h1>Ведутся технические работы</h1><p>Сервис временно недоступен.</p>")
FORBIDDEN = page("Forbidden", "<h1>Forbidden</h1><p>Request ID: 0000000000000000, rule: 000000</p>")
CAPTCHA = page("Госуслуги", '<p>Введите код с картинки</p><img src="captcha.png" alt=""><input name="captcha">')
ANOMALY = page("Госуслуги", "<p>Подтвердите, что это вы<br>Укажите город, в котором вы родились</p><input>")
ESIA = page("Госуслуги", '<form><input name="login"><input name="password" type="password"></form>')


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


class NoAnswer(Response):
    """Nothing at all: there is nobody left to answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


class Instead(SimulatorError):
    """An answer that isn't JSON with a message, in place of the endpoint's own."""

    def __init__(self, response: Response) -> None:
        super().__init__("another answer")
        self.response = response


def of_expired(look: ExpiredAnswer, endpoint: str, *, origin: str) -> Response:
    """What a call gets whose session is over."""
    match look:
        case ExpiredAnswer.FORBIDDEN:
            return problem(403, SESSION_EXPIRED)
        case ExpiredAnswer.REDIRECT:
            return RedirectResponse("/login", status_code=302)
        case ExpiredAnswer.HTML:
            return HTMLResponse(SHELL)
        case ExpiredAnswer.LOGGED_OUT if endpoint == "roles":
            return JSONResponse({"logged": False, "roles": []})
        case ExpiredAnswer.LOGGED_OUT if endpoint == "applications":
            return JSONResponse({"link": f"{origin}/login"})
        case _:
            return problem(401, SESSION_EXPIRED)
