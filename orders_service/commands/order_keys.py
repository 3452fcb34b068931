"""Keys for orders that were given none: the same command gives the same ones, so that it can be run again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.commands.order_file import Line

_DIGEST_LENGTH: Final = 16


def name_of_numbers(cad_nums: Sequence[str]) -> str:
    """Return the name of what these numbers ask for."""
    return _digest("\n".join(cad_nums).encode())


def give_keys(lines: Sequence[Line], batch: str) -> int:
    """Give each order without a key one that is made of the batch's name and its line; return how many had none."""
    without = [line for line in lines if not line.order.idempotency_key]
    for line in without:
        line.order.idempotency_key = f"{batch}:{line.number}"
    return len(without)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]
