"""Count the trouble that an order meets; strikes are forgotten when it moves on, or a person lets it (a trigger)."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.domain import strikes
from orders_service.store import queries

if TYPE_CHECKING:
    from orders_service.domain.orders import Holder, Order
    from orders_service.life.work import Work

_SQL: Final = queries.load("strikes")
_MAX_STEP: Final = 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What follows from a strike.

    Attributes:
        delay_s: How long the order rests.
        why_held: For the person who decides; None: it goes on by itself.
    """

    delay_s: float
    why_held: str | None


def check_trouble(trouble: strikes.Trouble) -> None:
    """Refuse trouble that isn't told properly.

    Raises:
        InvalidInput: No step, or a limit below 0.
    """
    if not 0 < len(trouble.step.strip()) <= _MAX_STEP:
        raise errors.InvalidInput.of("trouble.step", f"must have 1 to {_MAX_STEP} characters.")
    if trouble.limit < 0:
        raise errors.InvalidInput.of("trouble.limit", "must be 0 or more.")


async def strike(
    work: Work, order: Order, holder: Holder, trouble: strikes.Trouble, *, first_s: float, reason: str
) -> Struck:
    """Count it, and say how long the order rests, or that a person decides. The repeat of a delivery counts once."""
    row = await work.get(_SQL["strike"], order_id=order.id, step=trouble.step, fence=holder.fence)
    count, age_s = row["count"], row["age_s"]
    delay_s = strikes.pause_s(count, first_s)
    if not strikes.is_enough(order.state, trouble, count=count, age_s=age_s):
        return Struck(delay_s=delay_s, why_held=None)
    if trouble.limit == 1:
        return Struck(delay_s=delay_s, why_held=reason)
    times = f"{count} times in {_span(age_s)}"
    return Struck(delay_s=delay_s, why_held=f"It met trouble {times} at {trouble.step}, the last time so: {reason}")


async def hold(work: Work, order: Order, why: str, *, actor: str) -> None:
    """Let a person decide: somebody must look, so it is logged as an error."""
    await work.hold(order, why, actor=actor, level=logging.ERROR)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
