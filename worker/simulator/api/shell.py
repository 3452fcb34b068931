"""What a browser would load around the calls that matter: pages, and small calls of the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse

from worker.simulator import answers
from worker.simulator.gate import Access, Call, Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response


def _page(call: Call) -> Response:
    return HTMLResponse(answers.SHELL)


def _login_page(call: Call) -> Response:
    """Who is logged in and has several roles chooses one here; the API's way is the cookie and `profile/info`."""
    roles = call.account.roles if call.session is not None else ()
    if call.session is None or call.session.oid is not None or len(roles) < 2:
        return HTMLResponse(answers.SHELL)
    buttons = "".join(f"<button>{answers.escaped(role.name)}</button>" for role in roles)
    return HTMLResponse(answers.page("Росреестр", f"<h1>Выберите роль</h1>{buttons}"))


def _empty(call: Call) -> Response:
    # What these two say is not known; nothing may depend on it.
    return JSONResponse({})


def _unread(call: Call) -> Response:
    return JSONResponse({"count": 0})


ENDPOINTS = (
    Endpoint(name="shell", method="GET", path="/", handler=_page, access=Access.OPEN, is_paced=False),
    Endpoint(name="login_page", method="GET", path="/login", handler=_login_page, access=Access.OPEN, is_paced=False),
    Endpoint(
        name="config", method="GET", path="/account-back/config", handler=_empty, access=Access.OPEN, is_paced=False
    ),
    Endpoint(
        name="key_cancellation",
        method="GET",
        path="/account-back/access-key/cancellation/status/information",
        handler=_empty,
        access=Access.OPEN,
        is_paced=False,
    ),
    Endpoint(name="unread", method="GET", path="/account-back/notifications/unread/count", handler=_unread),
)
