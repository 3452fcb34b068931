"""How long a job may be put off: one bound for every delay, checked where it comes in."""

from __future__ import annotations

import math
from typing import SupportsFloat

#: Ten years, in seconds. What is due later is due never, and a few thousand years on no calendar can say when.
MAX_DELAY_S = 315_576_000.0


def check_delay(what: str, delay_s: SupportsFloat) -> float:
    """Return a delay in seconds, if it is one.

    Args:
        what: Names it in the sentence.

    Raises:
        ValueError: It isn't a number, is negative, or longer than ten years.
    """
    try:
        seconds = math.nan if isinstance(delay_s, (str, bytes, bytearray)) else float(delay_s)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds <= MAX_DELAY_S:
        raise ValueError(f"{what} is {_show(delay_s)}: give 0 to {MAX_DELAY_S:.0f} seconds (ten years).")
    return seconds


def to_ms(delay_s: float) -> int:
    """The delay as Redis counts it. Rounded up: a tenth of a millisecond is a delay too."""
    return math.ceil(delay_s * 1000)


def _show(value: object) -> str:
    # A whole number of many digits has no decimal text (`sys.set_int_max_str_digits`).
    return "a number of many digits" if isinstance(value, int) and value > MAX_DELAY_S else repr(value)
