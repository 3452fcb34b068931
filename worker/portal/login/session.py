"""The account's session: opened when first needed, bound to one person and role, renewed when it is over.

That it is over is believed only of `profile/roles`, which costs one call and no password; what another call says may be
that call's own trouble.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from worker.portal.errors import (
    AccountUnusable,
    Lack,
    LoginRefused,
    Need,
    PersonNeeded,
    PortalError,
    SessionExpired,
    StepForbidden,
    UnreadableAnswer,
)
from worker.portal.login.password import find_login_origin, log_in
from worker.portal.login.passwords import CountInMemory
from worker.portal.wire.answers import Answer, decode_json, diagnose, raise_for_verdict
from worker.portal.wire.pacer import boottime_s
from worker.portal.wire.shapes import Node
from worker.portal.wire.transport import Call, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.portal.login.credentials import Credentials
    from worker.portal.login.passwords import PasswordCount

_logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Names the person and role that a session acts as; the client sets it itself.
ROLE_COOKIE: Final = "PC_USER_WAS_AUTHORIZED"
#: How old a login must be before a session that lives, by one answer, and is over, by another, is renewed.
_DOUBTFUL_AFTER_S: Final = 3600.0
#: What a role's id may look like: it becomes a cookie and a parameter.
_OID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")


class Session:
    """Everything that is called as the logged-in person goes through here.

    One session belongs to one person for its whole life: what a reading of the list proves, and who is charged,
    hangs on who asked. After new credentials were given to the account, make a new one.
    """

    def __init__(self, transport: Transport, credentials: Credentials, count: PasswordCount | None = None) -> None:
        self.transport: Final = transport
        self._credentials = credentials
        self._count: PasswordCount = count or CountInMemory()
        self._profile: Node | None = None
        self._person_oid: str | None = None
        self._has_tried_cookies = not credentials.cookies
        # Whether the jar's cookies are believed to be a session.
        self._is_live = False
        # Whether a call was of use since the last password. What was imported was used in a browser.
        self._is_proven = True
        # Whether the count of passwords is still to learn that they were of use.
        self._is_counted = False
        self._logged_in_s: float | None = None
        self._refusal: LoginRefused | PersonNeeded | None = None

    def ensure_open(self) -> None:
        """Log in and bind the role, unless both stand already.

        A crash midway leaves at most a session nobody uses.

        Raises:
            LoginRefused, PersonNeeded: Remembered: repeated at once, without asking the portal, for this object's life.
            LoginPaused: Passwords were sent, and nothing came of them.
            AccountUnusable: No role to act in.
            PortalUnavailable, RateLimited, UnreadableAnswer: As for any call.
        """
        if self._profile is not None:
            return
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        if not self._has_tried_cookies:
            self._has_tried_cookies = True
            self._put_cookies()
            self._is_live = True
        # Imported, left unbound by an answer that was lost, or doubtful: asking whose it is costs no password.
        if self._is_live and self._bind_if_alive():
            return
        self._log_in()
        if not self._bind_if_alive():
            raise AssertionError("a session that a password has just brought binds, or is for a person")

    def forget_profile(self) -> None:
        """Read the person anew with the next call: he may have been mended at the portal. It costs no password."""
        self._profile = None

    def person_oid(self) -> str:
        """Return the id of the person and role that the session acts as."""
        self.ensure_open()
        if self._person_oid is None:
            raise UnreadableAnswer("The session is bound to nobody.")
        return self._person_oid

    def profile(self) -> Node:
        """Return the person's profile as it was read at login. Personal data: for the statement, never for a log."""
        self.ensure_open()
        if self._profile is None:
            raise UnreadableAnswer("The session has no profile.")
        return self._profile

    def call(self, call: Call, read: Callable[[Answer], T]) -> T:
        """Send a call that may safely be repeated, and return what `read` makes of its answer.

        Where its answer looks as if the session were over, it asks whether it is, logs in again only then, and repeats
        the call.

        Raises:
            StepForbidden: Forbidden, although the session lives.
            What `ensure_open`, `Transport.exchange` and `read` raise.
        """
        return self.run(lambda: self.transport.exchange(call), read)

    def run(self, send: Callable[[], Answer], read: Callable[[Answer], T]) -> T:
        """Like `call`, for an exchange of another kind; `send` starts afresh each time."""
        self.ensure_open()
        try:
            return self._use(send, read)
        except SessionExpired:
            # Bound anew where the session lives, renewed where it doesn't.
            self._profile = None
            self.ensure_open()
        try:
            return self._use(send, read)
        except SessionExpired as again:
            if not self._is_worth_a_password(again):
                raise self._explain(again) from again
        _logger.warning(
            "the portal's session lives, and a call says that it is over: it is renewed",
            extra={"event": "portal_session_doubtful"},
        )
        self._end()
        self.ensure_open()
        try:
            return self._use(send, read)
        except SessionExpired as still:
            raise self._explain(still) from still

    def _use(self, send: Callable[[], Answer], read: Callable[[Answer], T]) -> T:
        result = self._read(send(), read)
        self._is_proven = True
        if self._is_counted:
            self._is_counted = not self._count.clear(self.transport.sleep)
        return result

    def _read(self, answer: Answer, read: Callable[[Answer], T]) -> T:
        try:
            raise_for_verdict(answer, diagnose(answer))
            result = read(answer)
        except PortalError as exc:
            exc.step = exc.step or answer.step
            if isinstance(exc, UnreadableAnswer) and exc.retry_after_s is None:
                exc.retry_after_s = self.transport.pacer.note_outage(answer.step)
            raise
        self.transport.pacer.note_success(answer.step)
        return result

    def _end(self) -> None:
        _logger.info("the portal's session is over", extra={"event": "portal_session_over"})
        self._profile = None
        self._is_live = False

    def _is_worth_a_password(self, expired: SessionExpired) -> bool:
        """Whether a session that lives, by one answer, and is over, by another, is renewed: once an hour at most."""
        if expired.is_forbidden or expired.is_page or self._credentials.password is None:
            return False
        return self._logged_in_s is None or boottime_s() - self._logged_in_s >= _DOUBTFUL_AFTER_S

    def _explain(self, expired: SessionExpired) -> PortalError:
        """What a call means that says the session is over, while the session lives."""
        explained: PortalError
        if expired.is_forbidden:
            explained = StepForbidden(f"The session lives, and all the same: {expired}")
        else:
            explained = UnreadableAnswer(
                f"The session lives, and all the same: {expired}",
                retry_after_s=self.transport.pacer.note_outage(expired.step),
            )
        explained.step = expired.step
        return explained

    def _log_in(self) -> None:
        if self._credentials.password is None:
            # A maintenance page looks like a dead session; only a portal that is up can have ended it.
            find_login_origin(self.transport)
        try:
            log_in(self.transport, self._credentials, self._count)
        except (LoginRefused, PersonNeeded) as exc:
            self._remember(exc)
            raise
        self._logged_in_s = boottime_s()
        self._is_live = True
        self._is_proven = False
        self._is_counted = True

    def _remember(self, refusal: LoginRefused | PersonNeeded) -> None:
        # An untrusted certificate is found before any password is sent and may be mended beside us.
        if not (isinstance(refusal, PersonNeeded) and refusal.need is Need.CA_BUNDLE):
            self._refusal = refusal

    def _bind_if_alive(self) -> bool:
        """Bind the role; False where the session is over.

        Raises:
            PersonNeeded: A password has just been sent for it, and something is odd: no further one is sent for that.
            What `_bind` raises.
        """
        try:
            self._bind()
        except (SessionExpired, UnreadableAnswer) as odd:
            if self._is_proven:
                if isinstance(odd, UnreadableAnswer):
                    raise
                self._end()
                return False
            self._end()
            refusal = PersonNeeded(
                f"The login went through, and its session is of no use: {odd} Log in with a browser and import the"
                " session.",
                need=Need.LOGIN_PAGE,
            )
            self._remember(refusal)
            raise refusal from odd
        return True

    def _bind(self) -> None:
        """Choose the role and tell the portal. `logged` is false until this is done: no reason to log in again."""
        answered = self._read_node(
            Call(step="roles", method="GET", path="/account-back/profile/roles", referer="/login")
        )
        is_logged = answered.field("logged").boolean()
        roles_node = answered.find("roles")
        roles = [] if roles_node is None else list(roles_node.items())
        if not roles and not is_logged:
            raise SessionExpired("The account's session is over: the portal knows no role of it.")
        oid = self._choose_role(roles)
        if self._person_oid not in (None, oid):
            raise AccountUnusable(
                "The session belongs to another person or role than the one before: set the account's role, or check"
                " whose session was imported.",
                lack=Lack.SAME_PERSON,
            )
        self._put_cookie(ROLE_COOKIE, oid)
        profile = self._read_node(
            Call(
                step="profile",
                method="GET",
                path="/account-back/profile/info",
                params={"oid": oid},
                referer="/login?redirect=/",
            )
        )
        self._person_oid = oid
        self._profile = profile

    def _read_node(self, call: Call) -> Node:
        return self._read(self.transport.exchange(call), lambda answer: Node(decode_json(answer), f"{answer.step}:"))

    def _choose_role(self, roles: list[Node]) -> str:
        oids = [_read_oid(role) for role in roles]
        wanted = self._credentials.role
        if wanted is not None:
            fitting = [
                oid
                for oid, role in zip(oids, roles, strict=True)
                if wanted == oid or (isinstance(role.value, dict) and wanted in role.value.values())
            ]
            if len(fitting) == 1:
                return fitting[0]
            raise AccountUnusable(
                f"The account has {len(fitting)} roles {wanted!r} at the portal: set the right one.", lack=Lack.ROLE
            )
        # Whoever exported the session from a browser had chosen already.
        chosen = {cookie.value for cookie in self.transport.cookies.jar if cookie.name == ROLE_COOKIE and cookie.value}
        known = self._person_oid
        for oid in oids:
            if oid == known or (known is None and chosen == {oid}):
                return oid
        if len(oids) == 1:
            return oids[0]
        if not oids and len(chosen) == 1:
            return chosen.pop()
        if not oids:
            raise AccountUnusable("The account has no role at the portal.", lack=Lack.ROLE)
        raise PersonNeeded(
            f"The account has {len(oids)} roles at the portal: say in which one it acts, with `orders-service accounts"
            " set NAME --role OID`, or choose it in a browser and import the session.",
            need=Need.ROLE,
        )

    def _put_cookies(self) -> None:
        domain = _cookie_domain(self.transport.origin)
        for cookie in self._credentials.cookies:
            self.transport.cookies.set(cookie.name, cookie.value, domain=domain, path=cookie.path)

    def _put_cookie(self, name: str, value: str) -> None:
        jar = self.transport.cookies
        for cookie in list(jar.jar):
            if cookie.name == name:
                jar.jar.clear(cookie.domain, cookie.path, cookie.name)
        jar.set(name, value, domain=_cookie_domain(self.transport.origin), path="/")


def _read_oid(role: Node) -> str:
    oid = role.field("oid").scalar()
    if not _OID.fullmatch(oid):
        raise UnreadableAnswer("The portal's answer can't be read: a role's oid is none.")
    return oid


def _cookie_domain(origin: str) -> str:
    """The domain by which the standard library's jar finds a cookie again: of a bare name it makes `name.local`."""
    parts = urlsplit(origin)
    host = (parts.hostname or "").lower()
    return host if "." in host else f"{f'[{host}]' if ':' in host else host}.local"
