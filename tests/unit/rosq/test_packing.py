"""Packing commands: what the C code is given, whatever a command is made of."""

from __future__ import annotations

import enum
import signal
from typing import TYPE_CHECKING, Any

import pytest
from redis import exceptions as redis_errors

from rosq.connection.packing import Packer, Stem, pack

if TYPE_CHECKING:
    from collections.abc import Callable


class Hostile:
    """Whatever is asked of it, it raises."""

    def _raise(self, *_: object) -> Any:
        raise ZeroDivisionError

    __repr__ = __str__ = __bytes__ = __format__ = __index__ = __int__ = __float__ = __len__ = __iter__ = _raise
    __getitem__ = __eq__ = __hash__ = __bool__ = __contains__ = encode = decode = _raise


def hostile(kind: type[Any], value: object) -> Any:
    """A value of a class made from this one, whose every method raises."""
    return type("Odd", (Hostile, kind), {"__new__": kind.__new__})(value)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 7


#: Each made when it is needed: nothing may be asked of some of them.
PARTS: list[tuple[Callable[[], Any], bytes]] = [
    (lambda: "", b""),
    (lambda: "текст\n\0", "текст\n\0".encode()),
    (lambda: "read \udcff as bytes", b"read \xff as bytes"),
    (lambda: b"\xff\0", b"\xff\0"),
    (lambda: 0, b"0"),
    (lambda: -(2**70), b"-1180591620717411303424"),
    (lambda: 0.1, b"0.1"),
    (lambda: float("nan"), b"nan"),
    (lambda: float("-inf"), b"-inf"),
    (lambda: Colour.RED, b"red"),
    (lambda: Level.HIGH, b"7"),
    (lambda: hostile(str, "text"), b"text"),
    (lambda: hostile(bytes, b"bytes"), b"bytes"),
    (lambda: hostile(int, 5), b"5"),
    (lambda: hostile(float, 0.5), b"0.5"),
]
OTHERS: list[Callable[[], Any]] = [
    lambda: None,
    lambda: True,
    lambda: [1],
    dict,
    object,
    lambda: 1j,
    Hostile,
    lambda: bytearray(b"x"),
    lambda: memoryview(b"x"),
    lambda: "half \ud800",
    lambda: 10**5000,
]


@pytest.mark.parametrize(("make", "expected"), PARTS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_text_bytes_and_numbers_are_packed_whatever_their_class_says(
    make: Callable[[], Any], expected: bytes, place: int
) -> None:
    parts: list[Any] = ["first", "last"]
    parts.insert(place, make())

    packed = pack(tuple(parts))

    words: list[bytes] = [b"first", b"last"]
    words.insert(place, expected)
    assert packed == b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@pytest.mark.parametrize("make", OTHERS)
def test_what_no_command_can_have_is_refused_by_an_error_and_no_crash(make: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        pack(("a", make(), "b"))


def test_a_signal_handler_that_raises_while_a_number_is_packed_ends_the_call_alone() -> None:
    """hiredis asked Python to spell it, where a pending signal's handler runs, and took what came for text."""

    class Interrupted(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    broken_off = 0
    try:
        for _ in range(3_000):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6)
                while True:
                    pack(("a", 1, 0.5, 2**70, "b"))
            except Interrupted:
                broken_off += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert broken_off == 3_000


def test_a_stem_grows_into_what_packing_the_whole_command_gives() -> None:
    first, second = ("EVALSHA", "a" * 40, 2, "rosq:{q}:ключ"), ("rosq:{q}:job:1", "имя", 17, b"x", 0.5, "")

    assert Stem(first).grow(second) == pack((*first, *second))
    assert Stem(first).grow(()) == pack(first)


def test_what_redis_py_sends_is_packed_the_same_way() -> None:
    packer = Packer()

    words = ("CONFIG", "GET", "maxmemory", "1", b"x", b"y")
    assert packer.pack("CONFIG GET", "maxmemory", 1, b"x", memoryview(b"y")) == [pack(words)]
    with pytest.raises(redis_errors.DataError):
        packer.pack("SET", "key", None)
