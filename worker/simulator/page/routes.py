"""The pages over HTTP: one address a view, and one that does what a button says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from worker.simulator import answers, errors
from worker.simulator.control.http import PREFIX, refuse_other_sites
from worker.simulator.control.table import perform
from worker.simulator.page.html import ROOT, STYLE
from worker.simulator.page.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from worker.simulator.page.views import View
    from worker.simulator.runtime import Simulator

#: Nothing from elsewhere, no script, no frame: what a client sent is shown here.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def routes(simulator: Simulator) -> list[Route]:
    """The routes of one simulator's pages."""

    async def home(request: Request) -> Response:
        return RedirectResponse(f"{ROOT}/accounts", status_code=302)

    async def style(request: Request) -> Response:
        return Response(STYLE, media_type="text/css")

    return [
        Route(PREFIX, home),
        Route(f"{PREFIX}/", home),
        Route(f"{ROOT}/style.css", style),
        *(Route(f"{ROOT}/{name}", _showing(simulator, view)) for name, view in VIEWS.items()),
        Route(f"{ROOT}/do", _doing(simulator), methods=["POST"]),
    ]


def _showing(simulator: Simulator, view: View) -> Callable[[Request], Awaitable[Response]]:
    async def show(request: Request) -> Response:
        return HTMLResponse(view(simulator, dict(request.query_params)), headers=_HEADERS)

    return show


def _doing(simulator: Simulator) -> Callable[[Request], Awaitable[Response]]:
    async def do(request: Request) -> Response:
        try:
            refuse_other_sites(request)
            form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
            method, _, path = form.get("call", "").partition(" ")
            body = _body(form)
        except errors.Refusal as refusal:
            return answers.of_refusal(refusal)
        try:
            perform(simulator, method, path, body)
            said = "Done."
        except errors.Refusal as refusal:
            said = refusal.message
        return RedirectResponse(f"{_came_from(request)}?{urlencode({'said': said})}", status_code=303)

    return do


def _body(form: Mapping[str, str]) -> dict[str, object]:
    """What the button carries, and what was typed: JSON where it is such, else a text; nothing where it is empty."""
    try:
        body = json.loads(form.get("body", "{}"))
    except ValueError as exc:
        raise errors.Refusal(400, "body is not JSON.", field="body") from exc
    if not isinstance(body, dict):
        raise errors.Refusal(400, "body must be a JSON object.", field="body")
    # An empty field of a setting takes it away; anywhere else it was left empty.
    is_setting = form.get("call") == "POST /settings"
    for name, typed in form.items():
        if name.startswith("field.") and (typed or is_setting):
            body[name.removeprefix("field.")] = _typed(typed)
    return body


def _typed(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value


def _came_from(request: Request) -> str:
    """The view whose button it was; never another place."""
    name = request.headers.get("referer", "").partition("?")[0].rpartition("/")[2]
    return f"{ROOT}/{name}" if name in VIEWS else f"{ROOT}/accounts"
