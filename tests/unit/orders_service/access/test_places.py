"""How many calls may be under way at once."""

from __future__ import annotations

import contextlib

import pytest

from orders_service import errors
from orders_service.access.places import Places


def test_one_caller_has_so_many_places_and_another_has_his() -> None:
    places = Places(of_one=2, of_all=10)

    with contextlib.ExitStack() as taken:
        for _ in range(2):
            taken.enter_context(places.taken("a"))
        with pytest.raises(errors.TooManyCalls) as caught, places.taken("a"):
            pass
        taken.enter_context(places.taken("b"))

    assert caught.value.wait_s > 0


def test_all_together_have_no_more_than_there_are() -> None:
    places = Places(of_one=2, of_all=3)

    with contextlib.ExitStack() as taken:
        for key in ("a", "b", None):
            taken.enter_context(places.taken(key))
        for key in ("c", None):
            with pytest.raises(errors.TooManyCalls), places.taken(key):
                pass


def test_a_place_is_given_back_whatever_becomes_of_the_call() -> None:
    places = Places(of_one=1, of_all=1)

    for error in (ZeroDivisionError, KeyboardInterrupt):
        with contextlib.suppress(error), places.taken("a"):
            raise error
    with places.taken("a"):
        pass

    assert not places._taken, "whoever has none isn't remembered"
