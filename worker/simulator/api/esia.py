"""The ESIA's calls after the password: codes, answers, offers, the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, Response

from worker.simulator import answers, errors
from worker.simulator.gate import FLOW_COOKIE, Access, Call, Endpoint
from worker.simulator.login import picture, telling
from worker.simulator.login_steps import CODES, OFFERS, StepKind
from worker.simulator.settings import LoginDialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.simulator.accounts import Account
    from worker.simulator.login.flows import Flow
    from worker.simulator.login.machine import Failed

_API = "/aas/oauth2/api/login"


def told(call: Call, flow: Flow, account: Account) -> Response:
    """What the login says now: the next step, or the way back."""
    simulator = call.simulator
    status = simulator.settings.login_status
    if not flow.steps:
        simulator.login.flows.end(flow)
        code = simulator.login.flows.await_return(account.username)
        redirect_url = f"{call.origin()}/account-back/auth/process?code={code}"
        return JSONResponse({"action": "DONE", "redirect_url": redirect_url}, status_code=status)
    shown = telling.page(flow)
    response: Response
    if shown is not None:
        response = HTMLResponse(shown)
    elif simulator.settings.login_dialect is LoginDialect.SHORT and flow.steps[0].kind is StepKind.TOTP:
        response = JSONResponse({"action": "ENTER_TOTP"})
    else:
        body = telling.asked(flow, account.person, code_ttl_s=simulator.settings.code_ttl_s)
        response = JSONResponse(body, status_code=status)
    response.set_cookie(FLOW_COOKIE, flow.name, path="/aas", httponly=True)
    return response


def refused_password(call: Call, word: str) -> Response:
    """What a password gets that doesn't open the account."""
    status = call.simulator.settings.refused_login_status
    said = "Учётная запись заблокирована" if word == "ACCOUNT_LOCKED" else "Неверный логин или пароль"
    body: dict[str, object] = {"failed": word}
    if status >= 400:
        body = {"status": status, "error": "Unauthorized", "message": said, **body}
    return JSONResponse(body, status_code=status)


def _code(kind: StepKind) -> Callable[[Call], Response]:
    def handler(call: Call) -> Response:
        flow, account = _flow(call)
        given = call.request.query_params.get("code", "")
        return _answered(call, flow, account, call.simulator.login.give_code(flow, account, kind, given))

    return handler


def _offer(kind: StepKind) -> Callable[[Call], Response]:
    def handler(call: Call) -> Response:
        flow, account = _flow(call)
        if kind is StepKind.FILL_MFA and call.request.query_params.get("decision") != "false":
            raise errors.Refusal(
                400, "decision must be false: what comes of the other one is not known", field="decision"
            )
        return _answered(call, flow, account, call.simulator.login.decline(flow, kind))

    return handler


def _question(call: Call) -> Response:
    flow, account = _flow(call)
    answer = call.body.get("answer")
    if not isinstance(answer, str):
        raise errors.Refusal(400, "answer must be a string", field="answer")
    return _answered(call, flow, account, call.simulator.login.give_answer(flow, answer))


def _next_step(call: Call) -> Response:
    flow, account = _flow(call)
    return told(call, flow, account)


def _picture(call: Call) -> Response:
    flow = call.simulator.login.flows.find(call.request.path_params["name"])
    if flow is None or flow.sent is None or flow.sent.kind is not StepKind.CAPTCHA:
        raise errors.Refusal(404, "Нет такой картинки")
    return Response(picture.png_of(flow.sent.code), media_type="image/png", headers={"Cache-Control": "no-store"})


def _flow(call: Call) -> tuple[Flow, Account]:
    flow = call.simulator.login.flows.find(call.request.cookies.get(FLOW_COOKIE))
    account = call.simulator.accounts.find(flow.account) if flow is not None else None
    if flow is None or account is None:
        raise errors.Refusal(401, "Вход не начат или его время истекло")
    return flow, account


def _answered(call: Call, flow: Flow, account: Account, failed: Failed | None) -> Response:
    if failed is None:
        return told(call, flow, account)
    settings = call.simulator.settings
    if settings.login_dialect is LoginDialect.SHORT:
        return answers.problem(400, "Неверный код", field="code")
    body: dict[str, object] = {"failed": failed.word}
    if failed.may_retry and flow.steps:
        asked = telling.asked(flow, account.person, code_ttl_s=settings.code_ttl_s)
        body |= {name: value for name, value in asked.items() if name.endswith("_details")}
    return JSONResponse(body, status_code=settings.login_status)


def _endpoint(name: str, method: str, path: str, handler: Callable[[Call], Response], **more: bool) -> Endpoint:
    return Endpoint(
        name=name,
        method=method,
        path=path,
        handler=handler,
        access=Access.OPEN,
        is_paced=False,
        is_json=more.get("is_json", False),
    )


ENDPOINTS = (
    *(
        _endpoint(
            f"{'captcha' if kind is StepKind.CAPTCHA else kind.value}", "POST", f"{_API}/{path}/verify", _code(kind)
        )
        for kind, path in CODES.items()
    ),
    *(_endpoint(kind.value, "POST", f"{_API}/{path}", _offer(kind)) for kind, path in OFFERS.items()),
    _endpoint("question", "POST", f"{_API}/anomaly/verify", _question, is_json=True),
    _endpoint("next_step", "GET", f"{_API}/next-step", _next_step),
    _endpoint("captcha_picture", "GET", telling.PICTURES + "/{name}.png", _picture),
)
