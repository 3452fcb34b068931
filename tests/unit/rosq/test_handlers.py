"""Handlers and policies of which it can be seen that they won't do are refused when the worker is made."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from rosq import InvalidName, InvalidSettings, RetryPolicy
from rosq.execution.handlers import Dispatcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


def plain(delivery: Any) -> None:
    pass


async def coroutine(delivery: Any) -> None:
    pass


async def async_generator(delivery: Any) -> AsyncIterator[int]:
    yield 1


def generator(delivery: Any) -> Iterator[int]:
    yield 1


def without_argument() -> None:
    pass


def two_arguments(delivery: Any, other: Any) -> None:
    pass


def by_keyword(*, delivery: Any) -> None:
    pass


def with_more(delivery: Any, other: Any = None, *rest: Any, **named: Any) -> None:
    pass


def decorated(inner: Callable[..., Any]) -> Any:
    """As a decorator does it that gives its function what it needs beside the delivery."""

    @functools.wraps(inner)
    def outer(delivery: Any) -> None:
        inner(delivery, 1)

    return outer


class Calls:
    """A callable object by each of the functions."""

    async def coroutine(self, delivery: Any) -> None:
        pass

    async def async_generator(self, delivery: Any) -> AsyncIterator[int]:
        yield 1

    def generator(self, delivery: Any) -> Iterator[int]:
        yield 1

    def without_argument(self) -> None:
        pass

    def two_arguments(self, delivery: Any, other: Any) -> None:
        pass

    def plain(self, delivery: Any) -> None:
        pass

    @staticmethod
    def static(delivery: Any) -> None:
        pass


def callable_by(name: str) -> Any:
    return type("Called", (Calls,), {"__call__": Calls.__dict__[name]})()


WRONG = ("coroutine", "async_generator", "generator", "without_argument", "two_arguments")
REFUSED: dict[str, Any] = {}
for _name in WRONG:
    _made = globals()[_name], getattr(Calls(), _name), callable_by(_name)
    for _kind, _handler in zip(("a function", "a method", "an object"), _made, strict=True):
        REFUSED[f"{_kind}, {_name}"] = _handler
        REFUSED[f"a partial of {_kind}, {_name}"] = functools.partial(_handler)
        REFUSED[f"a partial of a partial of {_kind}, {_name}"] = functools.partial(functools.partial(_handler))
REFUSED |= {
    "by keyword alone": by_keyword,
    "a partial that has the delivery already": functools.partial(plain, 1),
    "a wrapped coroutine function": functools.wraps(plain)(coroutine),
    "a lambda without argument": lambda: None,
    "a class": Calls,
    "a class that makes something of the delivery": type("Made", (), {"__init__": lambda self, delivery: None}),
    "an async mock": mock.AsyncMock(),
    "a text": "handler",
    "a number": 7,
    "an object": object(),
    "the dots": ...,
}
ACCEPTED: dict[str, Any] = {
    "a function": plain,
    "a lambda": lambda _: None,
    "a function with more": with_more,
    "any arguments": lambda *args, **named: None,
    "a method": Calls().plain,
    "a static method": Calls.static,
    "an object": callable_by("plain"),
    "a partial": functools.partial(two_arguments, other=1),
    "a partial of an object": functools.partial(callable_by("two_arguments"), other=1),
    "a decorated function that takes more": decorated(two_arguments),
    "a decorated coroutine function": decorated(coroutine),
    "a built-in method": [].append,
    "a built-in that doesn't say what it takes": max,
    "a mock": mock.Mock(return_value=None),
    "an object that counts as false": type("Empty", (list,), {"__call__": lambda self, delivery: None})(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_handler_that_can_be_seen_to_be_wrong_is_refused(name: str) -> None:
    for handlers in (REFUSED[name], {"": REFUSED[name]}, {"named": REFUSED[name], "other": plain}):
        with pytest.raises(InvalidSettings, match="handler"):
            Dispatcher(handlers)


@pytest.mark.parametrize("name", ACCEPTED)
def test_whatever_else_can_be_called_with_a_delivery_is_accepted(name: str) -> None:
    Dispatcher(ACCEPTED[name])
    Dispatcher({"named": ACCEPTED[name]})


@pytest.mark.parametrize("given", [None, {}, {"a name": plain}, {7: plain}, {None: plain}])
def test_handlers_that_are_none_or_named_wrongly_are_refused(given: Any) -> None:
    with pytest.raises((InvalidSettings, InvalidName)):
        Dispatcher(given)


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": 1.5},
        {"max_attempts": float("nan")},
        {"max_attempts": float("inf")},
        {"max_attempts": "3"},
        {"wait": None},
        {"wait": 5},
        {"never_retry": ValueError},
        {"never_retry": [ValueError]},
        {"never_retry": (ValueError(),)},
        {"never_retry": ("ValueError",)},
        {"never_retry": (int,)},
    ],
    ids=str,
)
def test_a_policy_that_can_be_seen_to_be_wrong_is_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(InvalidSettings, match=name):
        RetryPolicy(**options)


@pytest.mark.parametrize("policy", [7, "fast", plain, {"named": None}, {"a name": RetryPolicy()}])
def test_what_is_no_policy_is_refused(policy: Any) -> None:
    with pytest.raises((InvalidSettings, InvalidName)):
        Dispatcher(plain, policy)
