"""Where an order can stand, and the one table of how it gets from there to there.

Nothing moves an order along an edge that isn't in `TRANSITIONS`: `life.work.Work.move` asks it each time.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final


class OrderState(enum.StrEnum):
    """Where an order stands; the values are those of the SQL type `order_state`."""

    #: Accepted; nobody works on it.
    QUEUED = "queued"
    #: A worker claimed it; as far as is known nothing was paid.
    PROCESSING = "processing"
    #: The gate was passed: the paid call may have been sent, and the portal's number isn't known.
    UNCONFIRMED = "unconfirmed"
    #: The portal's number is stored.
    REGISTERED = "registered"
    #: The checked extract is stored. Final.
    COMPLETED = "completed"
    #: For good; the order says why. Final.
    FAILED = "failed"
    #: By its client, where nothing may have been sent. Final.
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether no worker will ever do anything about it again."""
        return self in FINAL


FINAL: Final = frozenset({OrderState.COMPLETED, OrderState.FAILED, OrderState.CANCELLED})


class SendOutcome(enum.StrEnum):
    """What came of a send; the values are those of the SQL type `send_outcome`."""

    #: The portal's row was found and adopted, or a person named the number.
    NUMBER = "number"
    #: Enough readings over enough time showed nothing, or a person said so.
    ABSENT = "absent"
    #: Its own sender says that no byte left.
    NOT_SENT = "not_sent"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One way of getting from a state to another.

    Attributes:
        by: Who may: `worker` by a fenced decision, `fact` whoever saw it, `reconciler`, `client` or `person`.
        when: What must be so, in a few words.
    """

    from_state: OrderState
    to_state: OrderState
    by: tuple[str, ...]
    when: str


_S: Final = OrderState

TRANSITIONS: Final[tuple[Transition, ...]] = tuple(
    Transition(from_state=from_state, to_state=to_state, by=by, when=when)
    for from_state, to_state, by, when in (
        (_S.QUEUED, _S.PROCESSING, ("worker",), "claimed"),
        (_S.QUEUED, _S.CANCELLED, ("client",), "asked to, and nothing was sent"),
        (_S.QUEUED, _S.FAILED, ("reconciler", "person"), "its job failed, or given up"),
        (_S.PROCESSING, _S.UNCONFIRMED, ("worker",), "the gate was passed"),
        (
            _S.PROCESSING,
            _S.QUEUED,
            ("worker", "reconciler"),
            "put down with nothing sent; the object isn't known yet; or its account is gone",
        ),
        (
            _S.PROCESSING,
            _S.FAILED,
            ("worker", "reconciler", "person"),
            "it can't be fulfilled and nothing was paid, or given up",
        ),
        (_S.PROCESSING, _S.CANCELLED, ("client",), "asked to, and nothing was sent"),
        (
            _S.PROCESSING,
            _S.REGISTERED,
            ("fact", "person"),
            "an earlier send was settled as absent and its row turned up after all",
        ),
        (_S.UNCONFIRMED, _S.REGISTERED, ("fact", "person"), "the number is known"),
        (_S.UNCONFIRMED, _S.PROCESSING, ("fact", "person"), "the send was settled as absent or not sent"),
        (_S.UNCONFIRMED, _S.FAILED, ("person",), "given up"),
        (_S.REGISTERED, _S.COMPLETED, ("worker",), "the checked extract is stored"),
        (_S.REGISTERED, _S.FAILED, ("worker", "person"), "the portal's own verdict, or given up"),
        (_S.FAILED, _S.REGISTERED, ("person",), "tried again, with a number"),
        (_S.FAILED, _S.UNCONFIRMED, ("person",), "tried again, with an open send"),
        (_S.FAILED, _S.PROCESSING, ("person",), "tried again, its sends were settled as absent"),
        (_S.FAILED, _S.QUEUED, ("person",), "tried again, nothing was sent"),
        (_S.CANCELLED, _S.QUEUED, ("person",), "tried again, nothing was sent"),
    )
)

_EDGES: Final = frozenset((edge.from_state, edge.to_state) for edge in TRANSITIONS)


def is_allowed(from_state: OrderState, to_state: OrderState) -> bool:
    """Whether the table has this edge."""
    return (from_state, to_state) in _EDGES
