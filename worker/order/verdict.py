"""Whose trouble it is: one pure function from whatever went wrong to what order, account and queue are told.

An allow-list. Only the object's own faults spend the order's attempts: a refusal that names the object, an answer about
another one, a paper that can't be used. Everything else is somebody's: the account's, the portal's, the orders
service's, this machine's; and what nobody thought of is a defect, for which the order rests, each time longer, until a
person decides. So no order fails for what isn't its own, and none waits for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from orders_service.v1 import rosreestr_users_pb2
from worker.errors import (
    AccountExhausted,
    AccountSecretsUnusable,
    AccountStandsBy,
    ObjectDoubtful,
    PaidCallNotSent,
    PaperBroken,
    PersonChanged,
)
from worker.order import ends
from worker.portal.errors import (
    AccountUnusable,
    DocumentNotReady,
    Lack,
    LoginPaused,
    LoginRefused,
    Need,
    ObjectForbidden,
    Outage,
    PersonNeeded,
    PortalError,
    PortalSettingsInvalid,
    PortalUnavailable,
    RateLimited,
    RequestRefused,
)
from worker.service.errors import (
    AbsentAfterTooShort,
    AccountCannotTake,
    AccountUnknown,
    BoundToOtherAccount,
    ObjectBusy,
    OrderOnHold,
    OrderUnknown,
    ReadingNeeded,
    SendUnknown,
    ServiceBroken,
    ServiceDefect,
    ServiceRefused,
    ServiceUnreachable,
    StaleEpoch,
    StaleFence,
)

__all__ = [
    "Attempt",
    "Circumstances",
    "Elsewhere",
    "Ended",
    "GiveBack",
    "Mark",
    "Rest",
    "StandBy",
    "Verdict",
    "WaitOut",
    "WorkerEnds",
    "verdict",
]

#: Where the portal names no time and the client has no opinion.
DEFAULT_WAIT_S: Final = 30.0
#: A pause of the account's from which on it stands by: what isn't bound to it must not wait for it.
STANDBY_FROM_S: Final = 60.0
#: How long a bound order rests while its account stands by until a person did something.
STANDBY_REST_S: Final = 300.0
#: What may be mended beside us, with nothing sent (a CA bundle, a full disk), is tried again by itself.
MACHINE_RETRY_S: Final = 300.0
#: While the orders service is away.
SERVICE_PAUSE_S: Final = 10.0
#: Where the service itself failed over the order.
DEFECT_PAUSE_S: Final = 60.0
#: Where the service refused a step: the order's state is looked at afresh then.
REFUSED_PAUSE_S: Final = 5.0
#: So many different orders in a row that meet the same at one step: it isn't theirs.
SEVERAL: Final = 3
#: How often in a row an order may meet the same before a person decides, where time alone would take too long.
MANY_STRIKES: Final = 10
FEW_STRIKES: Final = 5
#: At once: only a person knows what to do.
ONE_STRIKE: Final = 1

_HOSTS: Final = frozenset({Outage.UNREACHABLE, Outage.MAINTENANCE, Outage.DEGRADED, Outage.BLOCKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Why the account stands by."""

    kind: rosreestr_users_pb2.StandbyKind.ValueType
    reason: str
    #: Seconds until it is tried again by itself; None: after a person did something.
    retry_in_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The object's own fault: the queue tries again, the last attempt ends the order."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """This order alone rests; strikes of its step are counted, its pauses grow, and a person decides in the end.

    Attributes:
        delay_s: The first pause.
        limit: After how many strikes it is held; 0: by time alone.
    """

    reason: str
    step: str
    delay_s: float
    limit: int = 0
    #: Nobody thought of it: a developer should see where.
    is_defect: bool = False

    @property
    def pause_s(self) -> float:
        """The first pause; "at once" would be a loop."""
        return self.delay_s or REFUSED_PAUSE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOut:
    """The account waits for a moment: every order of it would meet the same."""

    reason: str
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StandBy:
    """The account stands by: what isn't bound to it goes to others at once.

    Attributes:
        mark: None: it was marked before.
    """

    mark: Mark | None

    @property
    def pause_s(self) -> float:
        """How long an order rests that only this account can go on with."""
        if (
            self.mark is not None
            and self.mark.kind == rosreestr_users_pb2.STANDBY_KIND_LIMITED
            and self.mark.retry_in_s is not None
        ):
            return self.mark.retry_in_s
        return STANDBY_REST_S


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """The account may not take what it was handed: it learns how it stands, and others get it."""

    reason: str
    lane: str
    pause_s: float = REFUSED_PAUSE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The order isn't ours: its job goes to a lane at once, or rests; nothing is told of the order."""

    reason: str
    lane: str = ""
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Nothing is left to be done with the job: a person decides, or it points to nothing."""

    reason: str
    pause_s: float = REFUSED_PAUSE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnds:
    """This process must not go on.

    Attributes:
        is_order_ours: The order is in hand and goes back first.
    """

    reason: str
    is_order_ours: bool = False
    pause_s: float = REFUSED_PAUSE_S


Verdict: TypeAlias = Attempt | Rest | WaitOut | StandBy | GiveBack | Elsewhere | Ended | WorkerEnds


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a verdict hangs on beside the trouble itself.

    Attributes:
        step: At which call of the portal, or in which phase, it happened.
        orders_in_a_row: How many different orders met trouble at this step since it last went well, this one too.
        check_interval_s: Between two looks at one order.
        lease_s: How long a delivery is somebody's without a heartbeat.
        exhausted_retry_s: How long an account that can't be used is left alone.
    """

    step: str
    orders_in_a_row: int = 1
    check_interval_s: float = 60.0
    lease_s: float = 30.0
    exhausted_retry_s: float = 1800.0


def verdict(error: BaseException, of: Circumstances) -> Verdict:
    """Say whose trouble it is, and what follows."""
    match error:
        case ServiceRefused():
            return _of_refusal(error, of)
        case ServiceUnreachable():
            return Rest(reason=str(error), step="orders service", delay_s=SERVICE_PAUSE_S)
        case ServiceDefect() | ServiceBroken():
            return Rest(reason=str(error), step="orders service", delay_s=DEFECT_PAUSE_S)
        case PaperBroken() | ObjectDoubtful():
            return Attempt(reason=str(error))
        case PaidCallNotSent():
            # What prevented it may still be there.
            return Rest(reason=str(error), step="finish", delay_s=REFUSED_PAUSE_S, limit=MANY_STRIKES)
        case AccountStandsBy():
            return StandBy(mark=None)
        case PersonChanged():
            # Whether the account may be somebody else is decided with its next intent. This order is the first one's.
            return Rest(reason=str(error), step="person", delay_s=of.check_interval_s, limit=FEW_STRIKES)
        case AccountExhausted() | AccountSecretsUnusable():
            return StandBy(mark=_mark(error, of))
        case PortalSettingsInvalid() | OSError():
            reason = f"This worker's machine is in trouble: {error}"
            return StandBy(mark=Mark(kind=_UNUSABLE, reason=reason, retry_in_s=MACHINE_RETRY_S))
        case PortalError():
            return _of_portal(error, of)
        case _:
            return _of_orders(error, of, limit=MANY_STRIKES, delay_s=DEFECT_PAUSE_S, is_defect=True)


def _of_portal(error: PortalError, of: Circumstances) -> Verdict:
    delay_s = DEFAULT_WAIT_S if error.retry_after_s is None else error.retry_after_s
    match error:
        case LoginRefused() | PersonNeeded() | AccountUnusable():
            return StandBy(mark=_mark(error, of))
        case RateLimited() | LoginPaused():
            return _pause(str(error), delay_s)
        case PortalUnavailable() if error.outage in _HOSTS:
            return _pause(str(error), delay_s)
        case PortalUnavailable():
            # One order's at first: a single object may be what a call fails over.
            if of.orders_in_a_row >= SEVERAL:
                return _pause(str(error), delay_s)
            # A paper that breaks off each time is that paper; what the portal's own errors take, nobody knows.
            is_paper = of.step == "download" and error.outage in (Outage.BROKEN, Outage.SLOW)
            return Rest(reason=str(error), step=of.step, delay_s=delay_s, limit=MANY_STRIKES if is_paper else 0)
        case RequestRefused() if error.is_of_object and of.orders_in_a_row < SEVERAL:
            return Attempt(reason=ends.of_refusal(error))
        case RequestRefused() | ObjectForbidden():
            return _of_orders(error, of, limit=FEW_STRIKES, delay_s=delay_s)
        case DocumentNotReady():
            pause_s = max(delay_s, of.check_interval_s)
            return Rest(reason=str(error), step=of.step, delay_s=pause_s, limit=MANY_STRIKES)
        case _:
            return _of_orders(error, of, limit=MANY_STRIKES, delay_s=delay_s)


def _of_orders(
    error: BaseException, of: Circumstances, *, limit: int, delay_s: float, is_defect: bool = False
) -> Verdict:
    """The order's, while it is the only one; where several meet the same in a row, the account's."""
    said = str(error) if isinstance(error, PortalError) else f"{type(error).__name__}: {error}"
    if of.orders_in_a_row >= SEVERAL:
        reason = f"{of.orders_in_a_row} orders in a row met the same at {of.step}, so it isn't theirs. The last: {said}"
        kind = rosreestr_users_pb2.STANDBY_KIND_FORBIDDEN if isinstance(error, ObjectForbidden) else _UNUSABLE
        return StandBy(mark=Mark(kind=kind, reason=reason, retry_in_s=of.exhausted_retry_s))
    return Rest(reason=said, step=of.step, delay_s=delay_s, limit=limit, is_defect=is_defect)


def _pause(reason: str, delay_s: float) -> Verdict:
    if delay_s <= STANDBY_FROM_S:
        return WaitOut(reason=reason, pause_s=delay_s)
    kind = rosreestr_users_pb2.STANDBY_KIND_LIMITED
    return StandBy(mark=Mark(kind=kind, reason=reason, retry_in_s=delay_s))


def _of_refusal(refused: ServiceRefused, of: Circumstances) -> Verdict:
    """What each refusal of the service means. The order itself is another's, or put down."""
    reason = str(refused)
    match refused:
        case StaleFence():
            # Somebody works on it; should he die, the job comes back to us with a greater fence.
            return Elsewhere(reason=reason, pause_s=of.lease_s)
        case StaleEpoch() | AccountUnknown():
            return WorkerEnds(reason=reason)
        case AbsentAfterTooShort():
            return WorkerEnds(reason=reason, is_order_ours=True)
        case BoundToOtherAccount(account=account) if account:
            return Elsewhere(reason=reason, lane=f"@{account}")
        case OrderOnHold():
            return Ended(reason=f"on hold: {refused}")
        case OrderUnknown():
            return Ended(reason=reason)
        case AccountCannotTake():
            return GiveBack(reason=reason, lane=refused.metadata.get("lane", ""))
        case SendUnknown():
            # The gate's commit is gone, and only this process knows that the call was sent.
            told = (
                f"Its paid call was sent, and the orders service knows of no such call ({refused}): it may be paid."
                " Look in the account's list at the portal before it goes on"
            )
            return Rest(reason=told, step="finish", delay_s=of.check_interval_s, limit=ONE_STRIKE)
        case ReadingNeeded() | ObjectBusy():
            # The next visit reads, and may prove nothing yet; another order of the object takes as long as the portal.
            return Rest(reason=reason, step="gate", delay_s=of.check_interval_s)
        case _:
            return Rest(reason=reason, step="orders service", delay_s=REFUSED_PAUSE_S, limit=MANY_STRIKES)


_UNUSABLE: Final = rosreestr_users_pb2.STANDBY_KIND_UNUSABLE


def _mark(error: BaseException, of: Circumstances) -> Mark:
    """Return how the account stands for trouble of its own."""
    reason = str(error)
    retry_s = of.exhausted_retry_s
    match error:
        case LoginRefused() | AccountSecretsUnusable():
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED, reason=reason, retry_in_s=None)
        case PersonNeeded(need=Need.CA_BUNDLE):
            return Mark(kind=_UNUSABLE, reason=reason, retry_in_s=MACHINE_RETRY_S)
        case PersonNeeded() | AccountUnusable(lack=Lack.SAME_PERSON | Lack.ROLE):
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_PERSON_NEEDED, reason=reason, retry_in_s=None)
        case AccountExhausted() | AccountUnusable(lack=Lack.BALANCE_ITEM):
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_EXHAUSTED, reason=reason, retry_in_s=retry_s)
        case AccountUnusable(lack=Lack.PERMISSION):
            return Mark(kind=rosreestr_users_pb2.STANDBY_KIND_FORBIDDEN, reason=reason, retry_in_s=retry_s)
        case _:
            return Mark(kind=_UNUSABLE, reason=reason, retry_in_s=retry_s)
