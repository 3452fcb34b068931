"""Every way in which a handler can end that isn't done properly, to be tried one by one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import multiprocessing
import threading
from typing import TYPE_CHECKING, Any

from rosq import Cancel, Fail, JobSignal, LeaseLost, Release, Snooze

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator


# -- what it raises ----------------------------------------------------------------------------------------------------


class WithoutText(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class TextThatExits(BaseException):
    def __str__(self) -> str:
        raise SystemExit(4)

    __repr__ = __str__


class NumberForText(Exception):
    def __str__(self) -> str:
        return 7  # type: ignore[return-value]


class Letters(str):
    __slots__ = ()

    def encode(self, *_: Any, **__: Any) -> bytes:
        raise KeyboardInterrupt


class LettersForText(Exception):
    def __str__(self) -> str:
        return Letters("strange letters")


class _Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise GeneratorExit


class NamelessClass(BaseException, metaclass=_Nameless):
    pass


class Unequal(Exception):
    """Nothing can be compared with it, nor counted."""

    def __eq__(self, other: object) -> bool:
        raise SystemExit(5)

    def __hash__(self) -> int:
        raise SystemExit(6)

    def __bool__(self) -> bool:
        raise SystemExit(7)


class OwnSignal(JobSignal):
    pass


class OwnWayOut(BaseException):
    pass


class ForgetfulSnooze(Snooze):
    """Never says for how long."""

    def __init__(self) -> None:
        Exception.__init__(self)


def _changed(signal: JobSignal, **attributes: object) -> JobSignal:
    for name, value in attributes.items():
        setattr(signal, name, value)
    return signal


def _make(kind: type[BaseException]) -> BaseException | None:
    for args in ((), ("a text",), ("7", "a text"), ("7", "a text", 1.0)):
        try:
            made = kind(*args)
        except Exception:
            continue
        return made if isinstance(made, BaseException) else None
    try:
        return kind.__new__(kind)
    except Exception:
        return None


def _list_kinds() -> list[type[BaseException]]:
    """Every class of exception that this process knows, but for the signals, which say something else, and those with a
    destructor, which an object that wasn't made by its constructor may not survive."""
    seen: dict[type[BaseException], None] = {}
    open_kinds: list[type[BaseException]] = [BaseException]
    while open_kinds:
        kind = open_kinds.pop()
        if kind not in seen and not issubclass(kind, JobSignal) and not hasattr(kind, "__del__"):
            seen[kind] = None
            open_kinds += type.__subclasses__(kind)
    return list(seen)


def _chain(depth: int) -> BaseException:
    error = first = ValueError("the last of many")
    for _ in range(depth):
        error.__context__ = error = ValueError("one of many")
    error.__context__ = first
    return first


def list_raised() -> dict[str, BaseException]:
    """Exceptions, each of which is a failed attempt of whatever job it ends, by what the error of its job begins with
    and a number."""
    made = [error for kind in _list_kinds() if (error := _make(kind)) is not None]
    made += [
        BaseExceptionGroup("several", [SystemExit(1), KeyboardInterrupt()]),
        ExceptionGroup("several", [ValueError("one")]),
        SystemExit(),
        SystemExit(0),
        SystemExit(None),
        SystemExit("a text"),
        asyncio.CancelledError("by a loop"),
        ValueError("\ud800 half a letter, \0 and \n more"),
        ValueError("long" * 10_000),
        ValueError(object()),
        LeaseLost("another", "not this one"),
        OwnSignal("says nothing that is known"),
        _chain(1_000),
        ForgetfulSnooze(),
        _changed(Snooze(1), delay_s=float("inf")),
        _changed(Snooze(1), delay_s=float("nan")),
        _changed(Snooze(1), delay_s=-1),
        _changed(Snooze(1), delay_s=1e12),
        _changed(Snooze(1), delay_s="soon"),
        _changed(Snooze(1), lane="not a lane"),
        _changed(Snooze(1), lane=7),
        _changed(Release(), lane=b"main"),
    ]
    return {f"{at}": error for at, error in enumerate(made)}


# -- what it returns ---------------------------------------------------------------------------------------------------


async def _work() -> None:
    raise AssertionError("nobody runs this")


class Stubborn:
    """What awaits this doesn't let itself be closed, the first time."""

    def __await__(self) -> Generator[Any, None, None]:
        with contextlib.suppress(GeneratorExit):
            yield None
        yield None


async def _work_stubbornly() -> None:
    await Stubborn()


def _begun_coroutine() -> Any:
    begun = _work_stubbornly()
    begun.send(None)
    return begun


def _generate() -> Iterator[int]:
    yield 1
    yield 2


def _generate_and_break() -> Iterator[int]:
    try:
        yield 1
    finally:
        raise SystemExit(9)


def _begun_generator() -> Iterator[int]:
    begun = _generate_and_break()
    next(begun)
    return begun


async def _generate_async() -> AsyncIterator[int]:
    yield 1


def _future_of_loop() -> Any:
    loop = asyncio.new_event_loop()
    try:
        return loop.create_future()
    finally:
        loop.close()


class ComesOneByOne:
    def __next__(self) -> int:
        return 1

    def __iter__(self) -> ComesOneByOne:
        return self


class ComesLater:
    async def __anext__(self) -> int:
        return 1

    def __aiter__(self) -> ComesLater:
        return self


#: What a handler returned that nobody is going to run: makers, since each is good for one job.
LEFT_UNDONE: dict[str, Callable[[], object]] = {
    "a coroutine": _work,
    "a coroutine that has begun": _begun_coroutine,
    "a generator": _generate,
    "a generator that has begun": _begun_generator,
    "an async generator": _generate_async,
    "an awaitable": Stubborn,
    "a future of asyncio": _future_of_loop,
    "a future": concurrent.futures.Future,
    "an iterator": ComesOneByOne,
    "an async iterator": ComesLater,
    "a map": lambda: map(print, [1]),
    "a filter": lambda: filter(None, [1]),
    "a lambda": lambda: lambda: None,
    "a function": lambda: _generate,
    "an async function": lambda: _work,
    "a partial": lambda: functools.partial(print, 1),
    "a method": lambda: [].append,
    "a thread": lambda: threading.Thread(target=print),
    "a timer": lambda: threading.Timer(1, print),
    "a process": lambda: multiprocessing.Process(target=print),
    "a signal": lambda: Snooze(60),
    "a signal's class": lambda: Release,
    "an error": lambda: ValueError("returned"),
}

#: What says nothing, and is nobody's work.
PLAIN: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "a number": lambda: 7,
    "a text": lambda: "text",
    "bytes": lambda: b"bytes",
    "a list": lambda: [1],
    "a mapping": lambda: {"a": 1},
    "a set": lambda: {1},
    "a range": lambda: range(3),
    "an object": object,
    "a class": lambda: dict,
    "not implemented": lambda: NotImplemented,
}

#: Signals that say more than they should, and what the job becomes of it all the same.
SAID: dict[str, tuple[Callable[[], BaseException], str, str]] = {
    "a failure for an error's reason": (lambda: Fail(ValueError("why")), "failed", "why"),  # type: ignore[arg-type]
    "a failure for no reason": (lambda: Fail(None), "failed", "None"),  # type: ignore[arg-type]
    "a failure for half a letter": (lambda: Fail("\ud800"), "failed", "\\ud800"),
    "a failure without a text": (lambda: Fail(WithoutText()), "failed", "text can't be made"),  # type: ignore[arg-type]
    "a cancelling for half a letter": (lambda: Cancel("\ud800"), "cancelled", ""),
    "a cancelling for no text": (lambda: Cancel(7), "cancelled", ""),  # type: ignore[arg-type]
}
