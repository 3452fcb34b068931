"""What is kept of an exception: small whatever it went through, without the values of variables."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from rosq import facts

if TYPE_CHECKING:
    from collections.abc import Callable


def caught(raise_it: Callable[[], object]) -> BaseException:
    try:
        raise_it()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def sink(depth: int) -> None:
    if depth == 0:
        raise ValueError("внизу")
    sink(depth - 1)


def chain(depth: int) -> None:
    try:
        raise KeyError(depth)
    except KeyError as error:
        if depth == 0:
            raise
        raise RuntimeError("ж" * 1_000) from error if depth % 2 else caught(functools.partial(chain, depth - 1))


def circle() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    raise first


def test_a_deep_traceback_keeps_its_innermost_places() -> None:
    text = facts.shorten_trace(caught(lambda: sink(500)))

    lines = text.split("\n")
    assert len(lines) == 8
    assert lines[-1].startswith("unit/rosq/test_facts.py:")
    assert lines[-1].endswith('sink: raise ValueError("внизу")')


@pytest.mark.parametrize("depth", [900, 10_000])
def test_endless_recursion_costs_no_more(depth: int) -> None:
    assert len(facts.shorten_trace(caught(lambda: sink(depth))).encode()) <= facts.TRACE_MAX_BYTES


def test_causes_are_named_and_the_whole_stays_within_its_bytes() -> None:
    text = facts.shorten_trace(caught(lambda: chain(6)))

    assert len(text.encode()) <= facts.TRACE_MAX_BYTES
    assert "caused by " in text
    assert text.encode().decode() == text


def test_causes_that_go_in_a_circle_end() -> None:
    assert facts.shorten_trace(caught(circle)).count("caused by") == 1


def test_values_of_variables_are_not_in_it() -> None:
    def log_in(password: str) -> None:
        raise PermissionError(f"refused, {len(password)} letters")

    error = caught(lambda: log_in("hunter" + "2"))

    assert "hunter2" not in facts.shorten_trace(error)


def test_paths_of_packages_begin_at_the_package() -> None:
    text = facts.shorten_trace(caught(lambda: pytest.raises(1)))  # type: ignore[call-overload]

    places = [line.split(":")[0] for line in text.split("\n")]
    assert "_pytest/raises.py" in places or "_pytest/python_api.py" in places
    assert not [place for place in places if place.startswith("/")]


def test_what_utf_8_cant_say_is_escaped() -> None:
    error = ValueError(b"\xd0\xff".decode("utf-8", "surrogateescape"))

    assert facts.describe(error) == r"\udcd0\udcff"
    facts.shorten_trace(error).encode()
    assert facts.shorten_trace(None) == facts.name_class(None) == ""


def test_a_class_is_named_by_its_own_name_shortened() -> None:
    long = type("Очень" * 100, (Exception,), {})

    assert facts.name_class(KeyError()) == "KeyError"
    assert facts.name_class(long()) == ("Очень" * 100)[: facts.CLASS_MAX]
