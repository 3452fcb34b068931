"""What can go wrong at the portal, by what the worker must do about it.

    PortalError
    ├── PortalSettingsInvalid (also a ValueError)   a setting is wrong: fix it, then start
    ├── PortalUnavailable     .outage               wait `retry_after_s`; the order and its attempts stay as they are
    ├── LoginPaused                                 wait `retry_after_s`: passwords were sent, and none was of use
    ├── RateLimited                                 wait `retry_after_s`: the portal, or our own pacing, said so
    ├── UnreadableAnswer      .excerpt              wait `retry_after_s`; never "not found", never "no such row"
    ├── DocumentNotReady                            wait: the paper can't be downloaded yet
    ├── SessionExpired                              the session's own affair: outside it shows as one of the others
    ├── LoginRefused                                stand by until the password was changed; never try it again before
    ├── PersonNeeded          .need                 stand by until a person did what `need` names
    ├── AccountUnusable       .lack                 stand by; orders that aren't bound go to another account
    ├── StepForbidden                               403 at one call while the session lives: not outside of the client
    ├── ObjectForbidden                             403 at this object alone: the account may go on with others
    ├── RequestRefused        .status, .text        search, card or upload; `.is_of_object`: the order's own fault
    └── PaidCallMisused                             a programming error, found before anything was sent

`retry_after_s` (float seconds or None) is on every one: None means that waiting alone doesn't help. `step` says which
call it was: search, upload, download ...; empty: none, or not known.
The paid call has no errors of its own: what came of it is a value, see `finish.SendResult`. An error raised on the way
to it (while it is prepared or opened) says that it was not sent.
"""

from __future__ import annotations

from enum import Enum

__all__ = [
    "AccountUnusable",
    "DocumentNotReady",
    "Lack",
    "LoginPaused",
    "LoginRefused",
    "Need",
    "ObjectForbidden",
    "Outage",
    "PaidCallMisused",
    "PersonNeeded",
    "PortalError",
    "PortalSettingsInvalid",
    "PortalUnavailable",
    "RateLimited",
    "RequestRefused",
    "SessionExpired",
    "StepForbidden",
    "UnreadableAnswer",
]


class Outage(Enum):
    """Why the portal can't be used just now."""

    UNREACHABLE = "unreachable"  # no connection; from outside Russia a connect only times out
    BROKEN = "broken"  # the connection broke before a whole answer came
    SLOW = "slow"  # no answer within the time allowed
    SERVER_ERROR = "server_error"  # 5xx
    MAINTENANCE = "maintenance"  # a page for people that says so
    DEGRADED = "degraded"  # it answers in the right shape, and not the truth: it finds nothing of what is there
    BLOCKED = "blocked"  # the web firewall's page: wait long, hammering makes it worse


class Need(Enum):
    """What a person must do before the account can go on."""

    CAPTCHA = "captcha"  # type the letters of a picture, in a browser
    ANOMALY = "anomaly"  # answer «Подтвердите, что это вы», in a browser
    SECOND_FACTOR = "second_factor"  # a code that the worker can't make by itself, or one that was refused
    ROLE = "role"  # choose one of several roles
    NEW_SESSION = "new_session"  # import a session again, or set a password
    LOGIN_PAGE = "login_page"  # look at the login in a browser: it shows something unknown
    CA_BUNDLE = "ca_bundle"  # the portal's certificate isn't trusted: give the CA bundle
    LOGIN_LOOP = "login_loop"  # password after password was sent, and no session came of it: look at the login


class Lack(Enum):
    """What the account doesn't have and can't order without."""

    ACCESS_KEY = "access_key"
    PASSPORT = "passport"
    PROFILE = "profile"  # a field of the person's profile that the statement needs
    BALANCE_ITEM = "balance_item"  # no line of the ordered package among the balances
    ROLE = "role"  # no role to act in, or not the one that was asked for
    PERMISSION = "permission"  # the portal forbids it right after a good login
    SAME_PERSON = "same_person"  # the session belongs to another person than before


class PortalError(Exception):
    """The portal didn't do what was asked."""

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None) -> None:
        super().__init__(message or self.__class__.__doc__)
        self.retry_after_s = retry_after_s
        self.step = ""


class PortalSettingsInvalid(PortalError, ValueError):
    """A setting of the portal client is wrong."""


class PortalUnavailable(PortalError):
    """The portal can't be used just now."""

    def __init__(self, message: str, *, outage: Outage, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.outage = outage


class RateLimited(PortalError):
    """The account has to wait before its next call."""


class LoginPaused(PortalError):
    """Passwords were sent for the account, and no call was of use since: the next one has to wait."""


class UnreadableAnswer(PortalError):
    """The portal answered something else than was due."""

    def __init__(self, message: str, *, excerpt: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        #: The beginning of what came, for a person. It may hold personal data: never log it.
        self.excerpt = excerpt


class DocumentNotReady(PortalError):
    """The paper can't be downloaded yet."""


class SessionExpired(PortalError):
    """The account's session is over."""

    def __init__(
        self,
        message: str | None = None,
        *,
        is_forbidden: bool = False,
        is_page: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        #: The sign was a 403: right after a good login it means something else.
        self.is_forbidden = is_forbidden
        #: The sign was an unknown page where data was due: less certain than the others.
        self.is_page = is_page


class LoginRefused(PortalError):
    """The portal refuses the account's login or password: set the right one."""


class PersonNeeded(PortalError):
    """A person has to do something before the account can go on."""

    def __init__(self, message: str, *, need: Need) -> None:
        super().__init__(message)
        self.need = need


class AccountUnusable(PortalError):
    """The account lacks something that orders need."""

    def __init__(self, message: str, *, lack: Lack) -> None:
        super().__init__(message)
        self.lack = lack


class StepForbidden(PortalError):
    """The portal forbids a call, though the account's session lives."""


class ObjectForbidden(PortalError):
    """The portal forbids the account this object, and nothing else."""


class RequestRefused(PortalError):
    """The portal refuses this request."""

    def __init__(self, message: str, *, step: str, status: int, text: str, is_of_object: bool = False) -> None:
        super().__init__(message)
        #: Which step: search, card, upload ...
        self.step = step
        self.status = status
        #: It is the object that is refused, not the person, the key or our form: another order may be fine.
        self.is_of_object = is_of_object
        #: What the portal said, at most 2000 characters.
        self.text = text


class PaidCallMisused(PortalError):
    """A paid call is opened once and sent once."""
