"""The account's session: opened when first needed, bound to one person and role, renewed once when it is over."""

from __future__ import annotations

import logging
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
    UnreadableAnswer,
)
from worker.portal.login.password import find_login_origin, log_in
from worker.portal.wire.answers import Answer, decode_json, diagnose, raise_for_verdict
from worker.portal.wire.pacer import boottime_s
from worker.portal.wire.shapes import Node
from worker.portal.wire.transport import Call, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.portal.login.credentials import Credentials

_logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Names the person and role that a session acts as; the client sets it itself.
ROLE_COOKIE: Final = "PC_USER_WAS_AUTHORIZED"
_MAX_FUTILE_LOGINS: Final = 2


class Session:
    """Everything that is called as the logged-in person goes through here.

    One session belongs to one person for its whole life: what a reading of the list proves, and who is charged,
    hangs on who asked. After new credentials were given to the account, make a new one.
    """

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self.transport: Final = transport
        self._credentials = credentials
        self._profile: Node | None = None
        self._person_oid: str | None = None
        self._has_tried_cookies = not credentials.cookies
        # Whether the jar's cookies are believed to be a session.
        self._is_live = False
        self._logged_in_s: float | None = None
        # A login that brought a session with which nothing could be done yet.
        self._futile_logins = 0
        self._refusal: LoginRefused | PersonNeeded | None = None

    def ensure_open(self) -> None:
        """Log in and bind the role, unless both stand already.

        A crash midway leaves at most a session nobody uses.

        Raises:
            LoginRefused, PersonNeeded: Remembered: repeated at once, without asking the portal, for this object's life.
            AccountUnusable: No role to act in.
            SessionExpired: The portal ends what it has just begun.
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
        if self._is_live:
            # Imported, or left unbound by an answer that was lost.
            try:
                self._bind()
                return
            except SessionExpired:
                self._end()
        self._log_in()
        try:
            self._bind()
        except SessionExpired as expired:
            self._end()
            raise self._explain(expired) from expired

    def person_oid(self) -> str:
        """Return the id of the person and role that the session acts as."""
        self.ensure_open()
        if self._person_oid is None:
            raise SessionExpired("The session is bound to nobody.")
        return self._person_oid

    def profile(self) -> Node:
        """Return the person's profile as it was read at login. Personal data: for the statement, never for a log."""
        self.ensure_open()
        if self._profile is None:
            raise SessionExpired("The session has no profile.")
        return self._profile

    def call(self, call: Call, read: Callable[[Answer], T]) -> T:
        """Send a call that may safely be repeated, and return what `read` makes of its answer.

        When the session turns out to be over, it logs in again and repeats the call, once.

        Raises:
            SessionExpired: It was over again at once: wait.
            AccountUnusable: Forbidden right after a good login.
            What `ensure_open`, `Transport.exchange` and `read` raise.
        """
        return self.run(lambda: self.transport.exchange(call), read)

    def run(self, send: Callable[[], Answer], read: Callable[[Answer], T]) -> T:
        """Like `call`, for an exchange of another kind; `send` starts afresh each time."""
        self.ensure_open()
        try:
            result = self._read(send(), read)
        except SessionExpired as expired:
            is_futile = self._is_futile()
            self._end()
            if is_futile:
                raise self._explain(expired) from expired
        else:
            self._futile_logins = 0
            return result
        self.ensure_open()
        try:
            result = self._read(send(), read)
        except SessionExpired as expired:
            self._end()
            raise self._explain(expired) from expired
        self._futile_logins = 0
        return result

    def _read(self, answer: Answer, read: Callable[[Answer], T]) -> T:
        try:
            raise_for_verdict(answer, diagnose(answer))
            result = read(answer)
        except UnreadableAnswer as exc:
            if exc.retry_after_s is None:
                exc.retry_after_s = self.transport.pacer.note_outage()
            raise
        self.transport.pacer.note_success()
        return result

    def _is_futile(self) -> bool:
        """Whether logging in once more would be a loop: two logins in a row brought nothing, the last one just now."""
        if self._logged_in_s is None or self._futile_logins < _MAX_FUTILE_LOGINS:
            return False
        return boottime_s() - self._logged_in_s < self.transport.settings.login_pause_s

    def _end(self) -> None:
        _logger.info("the portal's session is over", extra={"event": "portal_session_over"})
        self._profile = None
        self._is_live = False

    def _explain(self, expired: SessionExpired) -> PortalError:
        if expired.is_forbidden:
            return AccountUnusable(
                f"Right after a good login: {expired} Check the account's rights at the portal.", lack=Lack.PERMISSION
            )
        if expired.is_page:
            return UnreadableAnswer(
                f"Right after a good login: {expired}", retry_after_s=self.transport.pacer.note_outage()
            )
        return SessionExpired(
            f"The session was over again right after a good login: {expired}",
            retry_after_s=self.transport.settings.login_pause_s,
        )

    def _log_in(self) -> None:
        if self._is_futile():
            raise SessionExpired(
                "The session was over right after the last login: the next one has to wait.",
                retry_after_s=self.transport.settings.login_pause_s,
            )
        if self._credentials.password is None:
            # A maintenance page looks like a dead session; only a portal that is up can have ended it.
            find_login_origin(self.transport)
        try:
            log_in(self.transport, self._credentials)
        except (LoginRefused, PersonNeeded) as exc:
            # An untrusted certificate is found before any password is sent and may be mended beside us.
            if not (isinstance(exc, PersonNeeded) and exc.need is Need.CA_BUNDLE):
                self._refusal = exc
            raise
        self._logged_in_s = boottime_s()
        self._futile_logins += 1
        self._is_live = True

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
        oids = [role.field("oid").scalar() for role in roles]
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
        raise PersonNeeded(f"The account has {len(oids)} roles at the portal: set which one to act in.", need=Need.ROLE)

    def _put_cookies(self) -> None:
        for name, value in self._credentials.cookies.items():
            self._put_cookie(name, value)

    def _put_cookie(self, name: str, value: str) -> None:
        jar = self.transport.cookies
        for cookie in list(jar.jar):
            if cookie.name == name:
                jar.jar.clear(cookie.domain, cookie.path, cookie.name)
        jar.set(name, value, domain=_cookie_domain(self.transport.origin), path="/")


def _cookie_domain(origin: str) -> str:
    """The domain by which the standard library's jar finds a cookie again: of a bare name it makes `name.local`."""
    parts = urlsplit(origin)
    host = (parts.hostname or "").lower()
    return host if "." in host else f"{f'[{host}]' if ':' in host else host}.local"
