"""What the ESIA says at each step: its JSON, or the page that comes instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.simulator import answers
from worker.simulator.login_steps import StepKind

if TYPE_CHECKING:
    from worker.simulator.login.flows import Flow
    from worker.simulator.people import Person

_API = "/aas/oauth2/api/login"
PICTURES = "/aas/oauth2/captcha"


def asked(flow: Flow, person: Person, *, code_ttl_s: float) -> dict[str, object]:
    """The JSON of the step that is asked now."""
    step = flow.steps[0]
    codes: dict[str, object] = {"code_length": 6, "verify_attempts_left": flow.tries_left}
    sent = {**codes, "phone": _masked(person.phone), "verify_timeout_secs": int(code_ttl_s)}
    match step.kind:
        case StepKind.TOTP:
            return {"action": "ENTER_MFA", "mfa_details": {"type": "TTP", "ttp_details": codes}}
        case StepKind.SMS:
            return {"action": "ENTER_MFA", "mfa_details": {"type": "SMS", "otp_details": sent}}
        case StepKind.MAX:
            return {"action": "ENTER_MFA", "mfa_details": {"type": "MAX", "otp_max_details": sent}}
        case StepKind.PUSH:
            return {"action": "ENTER_MFA", "mfa_details": {"type": "PUSH", "push_details": {}}}
        case StepKind.CAPTCHA:
            return {"failed": "CAPTCHA_REQUIRED", "captcha_details": {"picture": picture_path(flow)}}
        case StepKind.QUESTION:
            return {"action": "ANOMALY_QUESTION", "anomaly_details": {"question": step.question}}
        case StepKind.MAX_QUIZ:
            details = {} if step.skippable is None else {"skippable": step.skippable}
            return {"action": "MAX_QUIZ", "max_details": details}
        case StepKind.CHANGE_PASSWORD:
            return {"action": "CHANGE_PASSWORD"}
        case StepKind.FILL_MFA:
            return {"action": "FILL_MFA"}
        case _:
            return {"action": step.said}


def page(flow: Flow) -> str | None:
    """The page that a step is shown as, where it comes as one."""
    step = flow.steps[0]
    if step.kind is StepKind.PAGE:
        return answers.page(step.said, f"<h1>{answers.escaped(step.said)}</h1>")
    if step.is_json:
        return None
    if step.kind is StepKind.CAPTCHA:
        form = _form("captcha/verify", "code")
        return answers.page("Госуслуги", f'<p>Введите код с картинки</p><img src="{picture_path(flow)}" alt="">{form}')
    if step.kind is StepKind.QUESTION:
        question = answers.escaped(step.question)
        return answers.page(
            "Госуслуги", f"<p>Подтвердите, что это вы<br>{question}</p>{_form('anomaly/verify', 'answer')}"
        )
    return None


def picture_path(flow: Flow) -> str:
    """Where the captcha's picture is; it belongs to the flow, and to its code of now."""
    return f"{PICTURES}/{flow.name}.png"


def _form(path: str, name: str) -> str:
    return f'<form method="post" action="{_API}/{path}"><input name="{name}"><button>Продолжить</button></form>'


def _masked(phone: str) -> str:
    return f"{phone[:2]} *** ***-**-{phone[-2:]}"
