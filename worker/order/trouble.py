"""What trouble of the portal or the account means: one table from an error to a mark or a wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orders_service.v1 import rosreestr_users_pb2
from worker.errors import AccountExhausted, AccountSecretsUnusable
from worker.order.visit import Later
from worker.portal.errors import (
    AccountUnusable,
    DocumentNotReady,
    Lack,
    LoginRefused,
    Need,
    PersonNeeded,
    PortalError,
    PortalUnavailable,
    RateLimited,
    SessionExpired,
    UnreadableAnswer,
)

if TYPE_CHECKING:
    from orders_service.v1 import worker_pb2

#: Trouble of this account alone: it stands by, and what isn't bound to it goes to another one.
ACCOUNT_TROUBLE: Final = (
    LoginRefused,
    PersonNeeded,
    AccountUnusable,
    AccountExhausted,
    AccountSecretsUnusable,
)
#: The portal's own trouble: waited out.
PORTAL_TROUBLE: Final = (PortalUnavailable, RateLimited, UnreadableAnswer, SessionExpired, DocumentNotReady)

#: Where the portal names no time and the client has no opinion.
DEFAULT_WAIT_S: Final = 30.0
#: How long a bound order rests while its account can't log in: a person must act first.
STANDBY_REST_S: Final = 300.0
#: A missing CA bundle may be mended beside us: nothing was sent, so it may be tried again by itself.
CA_BUNDLE_RETRY_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Why the account stands by."""

    kind: rosreestr_users_pb2.StandbyKind.ValueType
    reason: str
    #: Seconds until it is tried again by itself; None: after a person did something.
    retry_in_s: float | None


def mark_for(error: Exception, *, exhausted_retry_s: float) -> Mark:
    """Return the mark for trouble of the account."""
    reason = str(error)
    match error:
        case LoginRefused() | AccountSecretsUnusable():
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED, reason=reason, retry_in_s=None)
        case PersonNeeded(need=Need.CA_BUNDLE):
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_UNUSABLE, reason=reason, retry_in_s=CA_BUNDLE_RETRY_S)
        case PersonNeeded() | AccountUnusable(lack=Lack.SAME_PERSON | Lack.ROLE):
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_PERSON_NEEDED, reason=reason, retry_in_s=None)
        case AccountExhausted() | AccountUnusable(lack=Lack.BALANCE_ITEM):
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED, reason=reason, retry_in_s=exhausted_retry_s)
        case AccountUnusable(lack=Lack.PERMISSION):
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_FORBIDDEN, reason=reason, retry_in_s=exhausted_retry_s)
        case _:
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_UNUSABLE, reason=reason, retry_in_s=exhausted_retry_s)


def stand_by(account: worker_pb2.WorkerAccount) -> Later:
    """Put the order down because its account can't go on: at once for others, later for itself where it is bound."""
    return Later(
        delay_s=STANDBY_REST_S,
        reason=account.why_not or "the account stands by",
        is_for_others=True,
    )


def wait_out(error: PortalError) -> Later:
    """Put the order down until the portal may be well again."""
    delay_s = DEFAULT_WAIT_S if error.retry_after_s is None else error.retry_after_s
    is_everybodys = isinstance(error, PortalUnavailable | RateLimited)
    return Later(delay_s=delay_s, reason=str(error), pause_s=delay_s if is_everybodys else 0.0)
