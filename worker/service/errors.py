"""What the orders service answers instead of what was asked, by what the worker must do about it.

WorkerError
├── ServiceUnreachable       no answer: asked again while the lease lasts, then the order is put down
├── ServiceDefect            the service failed over what it was asked: its fault, not the order's; later again
│   ├── ServiceDenied        it doesn't let this worker in: at the start the worker ends, later the order rests until
│   │                        its access token is renewed
│   └── ServiceTooOld        it doesn't know the call: it is older than this worker
├── ServiceBroken            an answer that no rule knows, such as INVALID_ARGUMENT: its fault as well, the order rests
└── ServiceRefused           .reason, .metadata: the service understood and said no
    ├── OrderUnknown         the job points to nothing: it fails
    ├── AccountUnknown       the worker ends
    ├── AccountCannotTake    the order goes to another account; the worker reads only its own lane
    ├── StaleFence           another delivery has the order
    ├── StaleEpoch           another worker opened the account: this one ends
    ├── BoundToOtherAccount  .account: the job goes to that account's lane
    ├── OrderOnHold          a person must decide first: the job fails
    ├── WrongState           the order stands elsewhere than it seemed: look at it again
    │   └── ReadingNeeded    the account's list must be read before the paid call may be repeated
    ├── SendOpen             an earlier send isn't settled: settle it
    ├── SendUnknown          the gate wasn't passed with this send
    ├── ObjectBusy           another order of the object is at the gate: later
    ├── ResendNeedsPerson    the order waits for a person
    └── AbsentAfterTooShort  a setting is wrong: the worker ends
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.errors import WorkerError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "REFUSALS",
    "AbsentAfterTooShort",
    "AccountCannotTake",
    "AccountUnknown",
    "BoundToOtherAccount",
    "ObjectBusy",
    "OrderOnHold",
    "OrderUnknown",
    "ReadingNeeded",
    "ResendNeedsPerson",
    "SendOpen",
    "SendUnknown",
    "ServiceBroken",
    "ServiceDefect",
    "ServiceDenied",
    "ServiceRefused",
    "ServiceTooOld",
    "ServiceUnreachable",
    "StaleEpoch",
    "StaleFence",
    "WrongState",
    "refusal",
]


class ServiceUnreachable(WorkerError):
    """The orders service, or its database, doesn't answer. What was asked may have been done, and may be repeated."""


class ServiceDefect(WorkerError):
    """The orders service failed over what it was asked: a person must look at its log."""


class ServiceDenied(ServiceDefect):
    """The orders service doesn't let this worker in: its access token is missing, over, or another account's.

    Nothing of that is the order's fault. A file that ORDERS_SERVICE_TOKEN_FILE names is read again when it changes.
    """


class ServiceTooOld(ServiceDefect):
    """The orders service is older than this worker, and doesn't know what it was asked: update it."""


class ServiceBroken(WorkerError):
    """The orders service gave an answer that no rule knows."""


class ServiceRefused(WorkerError):
    """The orders service refused, and nothing was changed.

    Attributes:
        reason: The name of a RefusalReason, without its prefix.
        metadata: What else the service says, such as `account` or `state`.
    """

    def __init__(self, reason: str, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata: Mapping[str, str] = dict(metadata or {})


class OrderUnknown(ServiceRefused):
    """There is no such order."""


class AccountUnknown(ServiceRefused):
    """There is no such account."""


class AccountCannotTake(ServiceRefused):
    """The account takes no new orders: inactive, on standby, or without a declarant category."""


class StaleFence(ServiceRefused):
    """A later delivery has the order."""


class StaleEpoch(ServiceRefused):
    """A later worker opened the account."""


class BoundToOtherAccount(ServiceRefused):
    """The order belongs to another account, named by `account`."""

    @property
    def account(self) -> str:
        """The account whose lane the job belongs in; empty where the service didn't say."""
        return self.metadata.get("account", "")


class OrderOnHold(ServiceRefused):
    """A person must decide about the order first."""


class WrongState(ServiceRefused):
    """The order's state doesn't allow it."""


class ReadingNeeded(WrongState):
    """The account's list must be read, and show nothing, before the paid call may be repeated."""


class SendOpen(ServiceRefused):
    """An earlier send isn't settled."""


class SendUnknown(ServiceRefused):
    """There is no such send: the gate wasn't passed with it."""


class ObjectBusy(ServiceRefused):
    """Another order of this object is between gate and number as the same person at the portal."""


class ResendNeedsPerson(ServiceRefused):
    """It was sent again once already: a person decides."""


class AbsentAfterTooShort(ServiceRefused):
    """ROSREESTR_ABSENT_AFTER_S is less than the service accepts for a portal that isn't on loopback."""


#: Every RefusalReason (without its prefix), and what it is here. A test asserts that none is missing.
REFUSALS: Final[Mapping[str, type[ServiceRefused]]] = {
    "UNSPECIFIED": ServiceRefused,
    "ORDER_UNKNOWN": OrderUnknown,
    "ACCOUNT_UNKNOWN": AccountUnknown,
    "ACCOUNT_INACTIVE": AccountCannotTake,
    "ACCOUNT_ON_STANDBY": AccountCannotTake,
    "NO_DECLARANT_CATEGORY": AccountCannotTake,
    "STALE_FENCE": StaleFence,
    "STALE_EPOCH": StaleEpoch,
    "BOUND_TO_OTHER_ACCOUNT": BoundToOtherAccount,
    "ORDER_ON_HOLD": OrderOnHold,
    "WRONG_STATE": WrongState,
    "SEND_OPEN": SendOpen,
    "SEND_UNKNOWN": SendUnknown,
    "OBJECT_BUSY": ObjectBusy,
    "RESEND_NEEDS_PERSON": ResendNeedsPerson,
    "ABSENT_AFTER_TOO_SHORT": AbsentAfterTooShort,
}


def refusal(reason: str, message: str, metadata: Mapping[str, str]) -> ServiceRefused:
    """Return the typed refusal for a reason; the general one for a reason that is newer than this worker."""
    if reason == "WRONG_STATE" and metadata.get("need") == "reading":
        return ReadingNeeded(reason, message, metadata)
    return REFUSALS.get(reason, ServiceRefused)(reason, message, metadata)
