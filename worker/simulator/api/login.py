"""The login: the portal's way out to the ESIA, the ESIA's own calls, and the way back that sets the cookies."""

from __future__ import annotations

import hmac
import urllib.parse
import uuid
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse

from worker.simulator import answers, errors, totp
from worker.simulator.gate import AUTH_COOKIE, Access, Call, Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response

FLOW_COOKIE = "ESIA_FLOW"
_HOME_COOKIE = "HOME_URL"


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


def _esia_page(call: Call) -> Response:
    return HTMLResponse(answers.ESIA)


def _password(call: Call) -> Response:
    login, password = call.body.get("login"), call.body.get("password")
    for name, value in (("login", login), ("password", password)):
        if not isinstance(value, str) or not value:
            raise errors.Refusal(400, f"{name} must be a string that isn't empty", field=name)
    account = call.simulator.accounts.find_by_login(str(login))
    if account is None or not hmac.compare_digest(account.password.encode(), str(password).encode()):
        raise errors.Refusal(401, "Неверный логин или пароль")
    if account.totp_secret is None:
        return JSONResponse({"redirect_url": _redirect_url(call, account.username)})
    response = JSONResponse({"action": "ENTER_TOTP"})
    flow = call.simulator.sessions.await_second_factor(account.username)
    response.set_cookie(FLOW_COOKIE, flow, path="/aas", httponly=True)
    return response


def _second_factor(call: Call) -> Response:
    simulator = call.simulator
    flow = call.request.cookies.get(FLOW_COOKIE)
    username = simulator.sessions.second_factor_account(flow)
    if flow is None or username is None:
        raise errors.Refusal(401, "Вход не начат или его время истекло")
    call.record.account = username
    account = simulator.accounts.find(username)
    given = call.request.query_params.get("code", "")
    at_s = simulator.clock.now().timestamp()
    if account is None or account.totp_secret is None or not totp.is_valid(account.totp_secret, given, at_s):
        raise errors.Refusal(400, "Неверный код", field="code")
    simulator.sessions.close_second_factor(flow)
    return JSONResponse({"redirect_url": _redirect_url(call, username)})


def _redirect_url(call: Call, username: str) -> str:
    code = call.simulator.sessions.await_return(username)
    return f"{call.origin()}/account-back/auth/process?code={code}"


def _return(call: Call) -> Response:
    username = call.simulator.sessions.take_return(call.request.query_params.get("code"))
    if username is None:
        raise errors.Refusal(401, "Код входа неизвестен или уже использован")
    account = call.simulator.accounts.find(username)
    assert account is not None, "ways back are made for known accounts only"
    session = call.simulator.sessions.open(username)
    call.record.account = username
    response = RedirectResponse(_home(call), status_code=302)
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
    Endpoint(
        name="esia_page", method="GET", path="/aas/oauth2/ac", handler=_esia_page, access=Access.OPEN, is_paced=False
    ),
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
        name="totp",
        method="POST",
        path="/aas/oauth2/api/login/totp/verify",
        handler=_second_factor,
        access=Access.OPEN,
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
