"""Logging in by password: the one place where a password is used.

A refused password is tried once. A loop of passwords, wrong ones or right ones, locks a real person out of the state's
services, so whatever isn't clearly the portal's own trouble ends in `LoginRefused` or `PersonNeeded` and isn't repeated
by itself; and each password that is sent is counted first (`passwords`).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from worker.portal.errors import LoginRefused, Need, Outage, PersonNeeded, PortalUnavailable, UnreadableAnswer
from worker.portal.login import passwords
from worker.portal.login.credentials import make_totp
from worker.portal.wire.answers import Answer, Verdict, diagnose, parse_json, raise_for_verdict
from worker.portal.wire.shapes import Node
from worker.portal.wire.transport import Call, Transport, origin_of

if TYPE_CHECKING:
    from worker.portal.login.credentials import Credentials
    from worker.portal.login.passwords import PasswordCount

_logger = logging.getLogger(__name__)

#: The cookie on which the portal's authentication hangs.
AUTH_COOKIE: Final = "AUTH_TOKEN"
_LOGIN_PATH: Final = "/aas/oauth2/api/login"
_TOTP_PATH: Final = "/aas/oauth2/api/login/totp/verify"
_MAX_HOPS: Final = 10
#: The login's calls; none of them goes well alone.
_STEPS: Final = ("login", "login code", "login return")
#: What a login may ask for one after the other; a person's has two or three.
_MAX_STEPS: Final = 5
_REFUSED: Final = frozenset({"INVALID_PASSWORD", "INVALID_LOGIN", "ACCOUNT_NOT_FOUND"})


def find_login_origin(transport: Transport) -> str:
    """Ask the portal where to log in; no password is sent. That it answers shows that the portal is up.

    Raises:
        PortalUnavailable: It leads nowhere: the portal is in trouble, whatever its pages say.
        RateLimited, PersonNeeded: As for any call.
    """
    answer = transport.exchange(
        Call(
            step="login",
            method="GET",
            path="/account-back/auth/login",
            params={"homeUrl": transport.origin + "/"},
            referer="/login?redirect=/",
            is_paced=False,
        )
    )
    if (verdict := diagnose(answer)) in (Verdict.CAPTCHA, Verdict.ANOMALY):
        raise_for_verdict(answer, verdict)
    target = origin_of(_join(transport.origin + "/", answer.location)) if answer.location else ""
    if not 300 <= answer.status < 400 or not target:
        raise PortalUnavailable(
            f"The portal's login leads nowhere: it answered HTTP {answer.status} where a redirect is due.",
            outage=Outage.MAINTENANCE if answer.is_page else Outage.SERVER_ERROR,
            retry_after_s=transport.pacer.note_outage(answer.step, answer.retry_after_s),
        )
    return _keep_encrypted(transport, target)


def log_in(transport: Transport, credentials: Credentials, count: PasswordCount) -> None:
    """Log in by password, and leave the session's cookies in the jar. These calls aren't paced.

    Args:
        count: Told of the password before it is sent: a crash in between counts one too many.

    Raises:
        LoginRefused: Login or password were refused: never try them again before they were changed.
        PersonNeeded: A captcha, a question, a second factor that can't be given, or something unknown; or too many
            passwords were sent and nothing came of them.
        LoginPaused: Passwords were sent a short while ago, and nothing came of them. None was sent now.
        PortalUnavailable, RateLimited: Try again later; no password was refused.
        What `count` raises: no password was sent.
    """
    if credentials.password is None:
        raise PersonNeeded(
            "The account has no password and its session is over: import a new session, or set its password.",
            need=Need.NEW_SESSION,
        )
    # Cookies of the dead session would only confuse the new one.
    transport.cookies.clear()
    origin = find_login_origin(transport)
    passwords.check(*count.read())
    count.add(transport.sleep)
    try:
        _send_password(transport, credentials, origin)
    except UnreadableAnswer as odd:
        raise PersonNeeded(
            f"After the password the login went on otherwise than it is known to: {odd} Log in with a browser and"
            " import the session.",
            need=Need.LOGIN_PAGE,
        ) from odd
    for step in _STEPS:
        transport.pacer.note_success(step)
    _logger.info("logged in to the portal", extra={"event": "portal_login"})


def _send_password(transport: Transport, credentials: Credentials, origin: str) -> None:
    answer = transport.exchange(
        Call(
            step="login",
            method="POST",
            path=_LOGIN_PATH,
            body={"login": credentials.login, "password": credentials.password},
            origin=origin,
            is_paced=False,
        )
    )
    answered = _read_login(answer)
    for _ in range(_MAX_STEPS):
        _raise_for_failed(answered)
        if answered.find_text("redirect_url"):
            break
        if not _asks_for_totp(answered):
            raise _for_person(answered)
        answered = _verify_totp(transport, credentials, origin)
    _follow(transport, origin, answered.field("redirect_url").text())


def _read_login(answer: Answer) -> Node:
    verdict = diagnose(answer)
    if verdict is Verdict.FINE and answer.is_json:
        return Node(parse_json(answer), "login:")
    if answer.status == 401 and answer.is_json:
        raise LoginRefused(
            "The portal refuses the account's login or password: set the right one; it isn't tried again before."
        )
    if verdict is Verdict.CAPTCHA:
        need, what = Need.CAPTCHA, "wants a captcha"
    elif verdict is Verdict.ANOMALY:
        need, what = Need.ANOMALY, "asks «Подтвердите, что это вы»"
    else:
        need, what = Need.LOGIN_PAGE, f"answers HTTP {answer.status} and nothing that is known"
    raise PersonNeeded(f"The login {what}: log in with a browser and import the session.", need=need)


def _raise_for_failed(answered: Node) -> None:
    """The login says in an answer of its own, with 2xx as well, that something failed."""
    failed = answered.find_text("failed")[:40]
    if failed in _REFUSED:
        raise LoginRefused(
            f"The portal refuses the account's login or password ({failed}): set the right one; it isn't tried again"
            " before."
        )
    if failed == "CAPTCHA_REQUIRED":
        raise PersonNeeded(
            "The login wants a captcha: log in with a browser and import the session.", need=Need.CAPTCHA
        )
    if failed:
        is_code = failed in ("INVALID_CODE", "CODE_EXPIRED", "ATTEMPTS_EXCEEDED")
        raise PersonNeeded(
            f"The login failed ({failed}): "
            + (
                "check the account's one-time secret and this machine's clock."
                if is_code
                else "log in with a browser and import the session."
            ),
            need=Need.SECOND_FACTOR if is_code else Need.LOGIN_PAGE,
        )


def _asks_for_totp(answered: Node) -> bool:
    """Whether a one-time code is asked for: the short word, or the long one with its kind."""
    action = answered.find_text("action")
    return action == "ENTER_TOTP" or (action == "ENTER_MFA" and _factor_of(answered) == "TTP")


def _factor_of(answered: Node) -> str:
    details = answered.find("mfa_details")
    return "" if details is None or not isinstance(details.value, dict) else details.find_text("type")[:40]


def _verify_totp(transport: Transport, credentials: Credentials, origin: str) -> Node:
    if credentials.totp_secret is None:
        raise PersonNeeded(
            "The account's login asks for a one-time code, and its secret isn't known: set it with `orders-service"
            " accounts set NAME --totp`, or log in with a browser and import the session.",
            need=Need.SECOND_FACTOR,
        )
    answer = transport.exchange(
        Call(
            step="login code",
            method="POST",
            path=_TOTP_PATH,
            params={"code": make_totp(credentials.totp_secret, at_s=time.time())},
            body={},
            origin=origin,
            is_paced=False,
        )
    )
    if diagnose(answer) is Verdict.FINE and answer.is_json:
        return Node(parse_json(answer), "login code:")
    if answer.status == 401:
        raise UnreadableAnswer("The login lost its thread before the one-time code came.")
    raise PersonNeeded(
        f"The account's one-time code was refused (HTTP {answer.status}): check its secret and this machine's clock.",
        need=Need.SECOND_FACTOR,
    )


def _for_person(answered: Node) -> PersonNeeded:
    action, factor = answered.find_text("action")[:40], _factor_of(answered)
    named = f"{action}, {factor}" if factor else action or "it names nothing"
    return PersonNeeded(
        f"The login wants something that only a person can do ({named}): log in with a browser and import the session.",
        need=Need.SECOND_FACTOR if action.startswith("ENTER_") else Need.LOGIN_PAGE,
    )


def _join(base: str, url: str) -> str:
    """`urljoin`, with nothing for what can't be read."""
    try:
        return urljoin(base, url)
    except ValueError:
        return ""


def _follow(transport: Transport, login_origin: str, url: str) -> None:
    """Walk the redirects back to the portal, as far as needed for the session's cookie."""
    base = login_origin
    for _ in range(_MAX_HOPS):
        target = _join(base, url)
        origin = origin_of(target)
        if origin not in (transport.origin, login_origin):
            raise UnreadableAnswer(
                f"The login leads to {origin or 'no address'}, neither to the portal nor to its login."
            )
        parts = urlsplit(target)
        answer = transport.exchange(
            Call(
                step="login return",
                method="GET",
                path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
                origin=origin,
                is_paced=False,
            )
        )
        if any(cookie.name == AUTH_COOKIE for cookie in transport.cookies.jar):
            return
        if not 300 <= answer.status < 400 or not answer.location:
            break
        base, url = target, answer.location
    raise UnreadableAnswer("The login went through, but brought no session.")


def _keep_encrypted(transport: Transport, origin: str) -> str:
    if transport.settings.is_encrypted and not origin.startswith("https://"):
        raise PersonNeeded(
            f"The portal's login leads to {origin}, which isn't encrypted: no password is sent there.",
            need=Need.LOGIN_PAGE,
        )
    return origin
