"""Trouble that comes again: how long an order rests for it, and when a person decides.

Neither the order's own fault nor its account's: a page that can't be read, a step that is forbidden, a defect. Nothing
waits for it for ever.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from orders_service.domain.states import OrderState

#: The pause doubles with each strike, up to this.
LONGEST_PAUSE_S: Final = 1800.0
#: How long the same trouble may last, in seconds. What is paid already may take the registry days, and harms nobody.
LONGEST_S: Final = 24 * 3600.0
LONGEST_REGISTERED_S: Final = 72 * 3600.0
#: Time alone holds nobody that met it now and then: so often it must have come in that time.
FEWEST: Final = 5
#: The first pause, where none was named.
FIRST_PAUSE_S: Final = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What an order met.

    Attributes:
        step: Which call of the portal, or what else; each is counted by itself.
        limit: After how many strikes in a row a person decides; 0: by time alone.
    """

    step: str
    limit: int


def pause_s(count: int, first_s: float) -> float:
    """Return how long an order rests after so many strikes; never less than what was named."""
    grown_s = (first_s or FIRST_PAUSE_S) * 2.0 ** min(count - 1, 30)
    return max(first_s, min(grown_s, LONGEST_PAUSE_S))


def is_enough(state: OrderState, trouble: Trouble, *, count: int, age_s: float) -> bool:
    """Whether a person is to decide.

    Args:
        age_s: Seconds since the first of the strikes.
    """
    if trouble.limit and count >= trouble.limit:
        return True
    longest_s = LONGEST_REGISTERED_S if state is OrderState.REGISTERED else LONGEST_S
    return count >= FEWEST and age_s >= longest_s
