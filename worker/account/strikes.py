"""Whose trouble it is that comes again: one order's, or that of whoever asks for all of them."""

from __future__ import annotations


class Streaks:
    """Counts the different orders that met trouble at a step since the step last went well. For one thread.

    In memory: after a restart a few orders meet the trouble once more before it is the account's again.
    """

    def __init__(self) -> None:
        self._by_step: dict[str, tuple[int, set[int]]] = {}

    def note(self, step: str, order_id: int, successes: int) -> int:
        """Note that an order met trouble at a step, and return how many different ones did in a row.

        Args:
            successes: How often the step ever went well in this process: where it did since, a new row begins.
        """
        before, orders = self._by_step.get(step, (successes, set()))
        if before != successes:
            orders = set()
        orders.add(order_id)
        self._by_step[step] = (successes, orders)
        return len(orders)
