"""What the ESIA can ask after the password, and how an account's own list of it is written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from worker.simulator import errors


class StepKind(StrEnum):
    """One thing that is asked, offered or shown."""

    CAPTCHA = "captcha"  #: the code of a picture
    TOTP = "totp"  #: a code of the account's authenticator
    SMS = "sms"  #: a code that comes by SMS
    MAX = "max"  #: a code that comes by the messenger MAX
    PUSH = "push"  #: a confirmation in the app: there is no call for it, a person must log in elsewhere
    QUESTION = "question"  #: «Подтвердите, что это вы»: a question, answered in words
    MAX_QUIZ = "max_quiz"  #: «Подтверждайте вход через мессенджер MAX»: an offer, with a way around it or without
    CHANGE_PASSWORD = "change_password"  #: the wish for a new password; may be skipped
    FILL_MFA = "fill_mfa"  #: the offer of a second factor; may be declined
    UNKNOWN = "unknown"  #: an `action` that nobody has seen yet
    PAGE = "page"  #: a page of HTML with a title of its own


#: Kinds that are answered with a code, and the call that takes it.
CODES = {StepKind.CAPTCHA: "captcha", StepKind.TOTP: "totp", StepKind.SMS: "otp", StepKind.MAX: "otp-max"}
#: Kinds that a client may go past, and the call for it.
OFFERS = {
    StepKind.MAX_QUIZ: "quiz-max/skip",
    StepKind.CHANGE_PASSWORD: "change-password/skip",
    StepKind.FILL_MFA: "promo-mfa/fill-mfa",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStep:
    """One step of an account's login."""

    kind: StepKind
    #: Whether captcha and question come as JSON instead of the page that a browser is shown.
    is_json: bool = False
    question: str = "В каком городе вы родились?"
    answer: str = "Тестовск"
    #: Whether the offer can be declined; without it `max_details` says nothing of it.
    skippable: bool | None = True
    #: The word of an unknown action; the title of a page.
    said: str = "ENTER_SOMETHING_NEW"

    def takes(self, answer: str) -> bool:
        """Whether this is the question's answer, whatever its case and blanks."""
        return _folded(answer) == _folded(self.answer)


def steps_of(rows: object, *, has_totp: bool) -> tuple[LoginStep, ...]:
    """An account's steps from its list: words, or tables with a word under `step` and more.

    Raises:
        ValueError: With a sentence that says what is wrong.
    """
    if not isinstance(rows, list):
        raise ValueError("login_steps must be a list")
    steps = tuple(_step_of(row) for row in rows)
    if any(step.kind is StepKind.TOTP for step in steps) and not has_totp:
        raise ValueError("login_steps has totp, but the account has no totp_secret")
    return steps


def _step_of(row: object) -> LoginStep:
    values = {"step": row} if isinstance(row, str) else row
    if not isinstance(values, dict) or values.get("step") not in list(StepKind):
        raise ValueError(f"a login step must be one of {', '.join(StepKind)}, or a table with one of them as step")
    kinds: dict[str, tuple[type, ...]] = {
        "step": (str,),
        "is_json": (bool,),
        "question": (str,),
        "answer": (str,),
        "skippable": (bool, type(None)),
        "said": (str,),
    }
    for name, value in values.items():
        if name not in kinds or not isinstance(value, kinds[name]):
            raise ValueError(f"a login step has no {name} of this sort; known are {', '.join(kinds)}")
    more = {name: value for name, value in values.items() if name != "step"}
    return LoginStep(kind=StepKind(str(values["step"])), **more)


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def wrong_step() -> errors.Refusal:
    """The refusal of an answer to something that wasn't asked."""
    return errors.Refusal(400, "Этот шаг входа сейчас не ожидается")
