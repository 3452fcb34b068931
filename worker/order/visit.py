"""One delivery's visit to its order: what the phases share, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from orders_service.v1 import orders_pb2, worker_pb2

if TYPE_CHECKING:
    from rosq import Delivery
    from worker.order.points import Signals
    from worker.order.witness import Witness
    from worker.portal.client import PortalClient
    from worker.portal.pages.applications import Application
    from worker.service.journal import OrderJournal
    from worker.settings import Settings

__all__ = [
    "FINAL_STATES",
    "Done",
    "Held",
    "Later",
    "Outcome",
    "Visit",
    "decided_by_service",
    "row_message",
    "until_next_s",
]

FINAL_STATES: Final = frozenset(
    {orders_pb2.ORDER_STATE_COMPLETED, orders_pb2.ORDER_STATE_FAILED, orders_pb2.ORDER_STATE_CANCELLED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The order is final: its job is completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A person must decide about the order: its job fails, and comes back when that was done."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The order is to be looked at again.

    Attributes:
        delay_s: Seconds until then.
        reason: Why, for the order's history.
        is_put_down: The service did so already with its last answer: only the queue is left to be told.
    """

    delay_s: float
    reason: str
    is_put_down: bool = False


Outcome: TypeAlias = Done | Held | Later


@dataclass(slots=True, kw_only=True)
class Visit:
    """What a phase works with. The order itself is the journal's: as the service answered it last."""

    delivery: Delivery
    journal: OrderJournal
    portal: PortalClient
    #: As it stood when the visit began.
    account: worker_pb2.WorkerAccount
    settings: Settings
    signals: Signals
    witness: Witness

    @property
    def order(self) -> worker_pb2.OrderInHand:
        """The order as the service answered it last."""
        return self.journal.order

    @property
    def submission(self) -> worker_pb2.OrderSubmission | None:
        """The journal of this account's submission; None: no intent yet."""
        return self.order.submission if self.order.HasField("submission") else None


def decided_by_service(order: worker_pb2.OrderInHand) -> Outcome | None:
    """Return what the service's answer leaves no choice about: the order is final, or held. Else None."""
    if order.state in FINAL_STATES:
        return Done()
    if order.hold_reason:
        return Held(reason=order.hold_reason)
    return None


def until_next_s(order: worker_pb2.OrderInHand, otherwise_s: float) -> float:
    """Return the seconds until the order's next look, by the database's clock at its last answer."""
    if not order.HasField("next_at"):
        return otherwise_s
    return max(0.0, (order.next_at.ToDatetime() - order.as_of.ToDatetime()).total_seconds())


def row_message(row: Application) -> worker_pb2.ApplicationRow:
    """Return a row of the account's list as the service takes it."""
    return worker_pb2.ApplicationRow(
        application_id=row.application_id,
        order_number=row.request_number,
        cad_num=row.cad_num,
        status_code=row.status_code,
        request_status=row.request_status,
    )
