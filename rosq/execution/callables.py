"""What a worker can call, and what a handler mustn't leave behind: work that nobody is going to do."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from typing import Any

from rosq.errors import InvalidSettings, WorkLeft

#: How the functions are called of which a call does nothing yet, and what to give instead.
_UNRUN = (
    (
        inspect.iscoroutinefunction,
        "a coroutine function",
        "Give one that runs it, by asyncio.run.",
    ),
    (inspect.isasyncgenfunction, "an async generator function", "Give a plain function."),
    (inspect.isgeneratorfunction, "a generator function", "Give a function without `yield`."),
)
_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)
#: What is to be done with what was returned, by what its class shows.
_LEFT: tuple[tuple[Callable[[type], bool], str], ...] = (
    (lambda kind: issubclass(kind, BaseException), "raise"),
    (lambda kind: issubclass(kind, Awaitable), "await"),
    (lambda kind: issubclass(kind, Iterator | AsyncIterator), "iterate over"),
    (lambda kind: issubclass(kind, _FUNCTIONS), "call"),
    # Futures, threads, processes: work that goes on without its job, or doesn't.
    (lambda kind: hasattr(kind, "add_done_callback") or (hasattr(kind, "start") and hasattr(kind, "join")), "wait for"),
)


def check_callable(what: str, given: Any, count: int) -> None:
    """Return if calling it with so many arguments will do something, as far as can be seen without calling it.

    Args:
        what: Names it in the sentence.

    Raises:
        InvalidSettings: It won't: it can't be called, or not so, or calling it makes something that has yet to be run.
    """
    if not callable(given):
        raise InvalidSettings(f"{what} is {given!r}, which can't be called: give a function.")
    if inspect.isclass(given):
        raise InvalidSettings(f"{what} is the class {given.__qualname__}: give an instance of it, or a function.")
    for innermost in _list_layers(given):
        for is_such, kind, advice in _UNRUN:
            if is_such(innermost):
                raise InvalidSettings(f"{what} is {kind}: a call of it does nothing yet. {advice}")
    try:
        # Of the function itself: what it wraps may take something else.
        signature = inspect.signature(given, follow_wrapped=False)
    except (TypeError, ValueError):
        # Some of those that are written in C don't say.
        return
    try:
        signature.bind(*[object()] * count)
    except TypeError as error:
        wanted = "one argument, the delivery" if count else "no argument"
        raise InvalidSettings(f"{what} can't be called with {wanted}: {error}. It takes {signature}.") from None


def check_result(job_id: str, result: object) -> None:
    """Return if what a handler returned is no work; a coroutine or generator is closed, so that Python doesn't warn.

    Raises:
        WorkLeft: It has yet to be awaited, iterated over, called, raised or waited for, and nobody will.
    """
    todo = _find_todo(result)
    if todo is None:
        return
    left = WorkLeft(job_id, type(result).__name__, todo)
    if isinstance(result, Coroutine | Generator):
        try:
            result.close()
        except BaseException as error:
            raise left from error
    raise left


def _find_todo(result: object) -> str | None:
    if isinstance(result, type):
        return "raise" if issubclass(result, BaseException) else None
    return next((todo for is_such, todo in _LEFT if is_such(type(result))), None)


def _list_layers(given: Any) -> list[Any]:
    """What is called when this is: inside of partials, and the method of a callable object."""
    layers = [given]
    while True:
        if isinstance(given, functools.partial | functools.partialmethod):
            given = given.func
        elif inspect.isroutine(given) or inspect.isclass(given):
            return layers
        else:
            given = inspect.getattr_static(type(given), "__call__", None)
        if given is None or any(given is layer for layer in layers):
            return layers
        layers.append(given)
