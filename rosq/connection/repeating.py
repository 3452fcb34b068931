"""Asking again after a lost answer: for calls that do no harm the second time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import tenacity

from rosq import errors

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: How often a call that got no answer is made in all.
_TRIES = 3


def repeat(ask: Callable[[], T]) -> T:
    """Ask, up to twice more within a second where no answer came.

    Raises:
        ServerUnreachable: There was none in the end; it may have happened or not.
    """
    try:
        return ask()
    except errors.ServerUnreachable as error:
        failed: list[errors.ServerUnreachable] = [error]

    # Only here is tenacity worth its time: it is told of the first attempt as if it had made it.
    def ask_again() -> T:
        if failed:
            raise failed.pop()
        return ask()

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_TRIES),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=0.5),
        retry=tenacity.retry_if_exception(_is_worth_repeating),
        reraise=True,
    )
    return retrying(ask_again)


def _is_worth_repeating(error: BaseException) -> bool:
    return isinstance(error, errors.ServerUnreachable) and not isinstance(
        error, errors.ServerRefused | errors.ServerFull
    )
