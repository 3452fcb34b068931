"""The login's first and last calls: the way out to the ESIA, the password, and the way back with the cookies."""

from __future__ import annotations

import urllib.parse
import uuid
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, RedirectResponse

from worker.simulator import answers, errors
from worker.simulator.api import esia
from worker.simulator.gate import AUTH_COOKIE, Access, Call, Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response

_HOME_COOKIE = "HOME_URL"
_PAGE_COOKIE = "ESIA_SESSION"


def _start(call: Call) -> Response:
    home = call.request.query_params.get("homeUrl", "/")
    query = urllib.parse.urlencode(
        {
            "client_id": "SIMULATOR",
            "response_type": "code",
            "state": str(uuid.uuid4()),
            "redirect_uri": f"{call.origin()}/account-back/auth/process",
        }
    )
    response = RedirectResponse(f"{call.origin()}/aas/oauth2/ac?{query}", status_code=302)
    response.set_cookie(_HOME_COOKIE, urllib.parse.quote(home, safe=""), path="/")
    return response


def _page(call: Call) -> Response:
    response = HTMLResponse(answers.ESIA)
    response.set_cookie(_PAGE_COOKIE, uuid.uuid4().hex, path="/", httponly=True)
    return response


def _password(call: Call) -> Response:
    simulator = call.simulator
    login, password = call.body.get("login"), call.body.get("password")
    for name, value in (("login", login), ("password", password)):
        if not isinstance(value, str) or not value:
            raise errors.Refusal(400, f"{name} must be a string that isn't empty", field=name)
    if simulator.settings.login_needs_page and _PAGE_COOKIE not in call.request.cookies:
        raise errors.Refusal(401, "Вход не начат или его время истекло")
    account = simulator.accounts.find_by_login(str(login))
    failed = simulator.login.try_password(account, str(password))
    if account is not None:
        simulator.conduct.note_password(account, is_right=failed is None)
    if failed is not None or account is None:
        return esia.refused_password(call, failed.word if failed else "ACCOUNT_NOT_FOUND")
    return esia.told(call, simulator.login.begin(account), account)


def _return(call: Call) -> Response:
    username = call.simulator.login.flows.take_return(call.request.query_params.get("code"))
    if username is None:
        raise errors.Refusal(401, "Код входа неизвестен или уже использован")
    account = call.simulator.accounts.find(username)
    assert account is not None, "ways back are made for known accounts only"
    session = call.simulator.sessions.open(username)
    call.record.account = username
    has_choice = call.simulator.settings.role_page and len(account.roles) > 1
    response = RedirectResponse("/login" if has_choice else _home(call), status_code=302)
    response.set_cookie(AUTH_COOKIE, session.token, path="/", httponly=True)
    response.set_cookie("hazelcast.sessionId", f"HZ{uuid.uuid4().hex.upper()}", path="/", httponly=True)
    # One name twice, with different paths: a jar keeps both, and a header glued together by name loses one.
    for path in ("/account-back", "/account-request"):
        response.set_cookie("TOMCAT_SESSIONID", uuid.uuid4().hex.upper(), path=path, httponly=True)
    response.set_cookie("session-cookie", uuid.uuid4().hex * 3, path="/", httponly=True)
    response.set_cookie("LK_PROFILE_ID", str(account.person.profile_id), path="/")
    response.set_cookie("LK_ROLE", "PERSON", path="/")
    response.set_cookie("uid", uuid.uuid4().hex, path="/")
    return response


def _home(call: Call) -> str:
    """Where the person wanted to go: a page of the portal, never another site."""
    home = urllib.parse.unquote(call.request.cookies.get(_HOME_COOKIE, "/"))
    home = home.removeprefix(call.origin())
    return home if home.startswith("/") and not home.startswith(("//", "/\\")) else "/"


ENDPOINTS = (
    Endpoint(
        name="login_start",
        method="GET",
        path="/account-back/auth/login",
        handler=_start,
        access=Access.OPEN,
        is_paced=False,
    ),
    Endpoint(name="esia_page", method="GET", path="/aas/oauth2/ac", handler=_page, access=Access.OPEN, is_paced=False),
    Endpoint(
        name="login",
        method="POST",
        path="/aas/oauth2/api/login",
        handler=_password,
        access=Access.OPEN,
        is_json=True,
        is_paced=False,
    ),
    Endpoint(
        name="login_return",
        method="GET",
        path="/account-back/auth/process",
        handler=_return,
        access=Access.OPEN,
        is_paced=False,
    ),
)
