"""Commands as Redis reads them: only text and bytes reach the C code that packs them.

hiredis takes numbers too, but asks Python how to spell them and doesn't look whether that went wrong: a signal handler
that raises at that instant, a number of thousands of digits, or one of a class with a `__repr__` of its own ended the
process by a segmentation fault. So numbers are spelled here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

import hiredis
from redis import exceptions as redis_errors

if TYPE_CHECKING:
    from collections.abc import Callable

#: What a command is made of. Numbers are whole or real ones; `True` is none.
Part: TypeAlias = "str | bytes | float"

_pack = cast("Callable[[tuple[str | bytes, ...]], bytes]", hiredis.pack_command)
#: These, and no classes made from them, which may do anything when they are read.
_PLAIN = frozenset((str, bytes))


def pack(parts: tuple[Part, ...]) -> bytes:
    """Pack a command. Bytes that were read as text go back as they came, be they UTF-8 or not.

    Raises:
        TypeError: A part is neither text, bytes nor a number.
        UnicodeEncodeError: A text has half a character in it that no bytes were read as.
    """
    plain = cast("tuple[str | bytes, ...]", parts)
    if not _PLAIN.issuperset(map(type, parts)):
        plain = tuple([_spell(part) if type(part) not in _PLAIN else part for part in plain])
    try:
        return _pack(plain)
    except UnicodeEncodeError:
        return _pack(
            tuple([part.encode(errors="surrogateescape") if isinstance(part, str) else part for part in plain])
        )


def _spell(part: object) -> str | bytes:
    if isinstance(part, str):
        return str.__str__(part)
    if isinstance(part, bytes):
        return bytes.__getitem__(part, slice(None))
    if isinstance(part, int) and not isinstance(part, bool):
        return int.__repr__(part)
    if isinstance(part, float):
        return float.__repr__(part)
    raise TypeError(f"A command is made of text, bytes and numbers, not of a {type(part).__name__}.")


class Stem:
    """What many commands begin with, packed once.

    Args:
        parts: Whatever `pack` takes.
    """

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._count = len(parts)
        self._packed = pack(parts).partition(b"\r\n")[2]

    def grow(self, parts: tuple[Part, ...]) -> bytes:
        """Return what `pack` would make of the beginning and these parts."""
        return b"*%d\r\n%b%b" % (self._count + len(parts), self._packed, pack(parts).partition(b"\r\n")[2])


class Packer:
    """Packs what redis-py's own client and its connections send: the `command_packer` of a `redis.Connection`."""

    def pack(self, *parts: object) -> list[bytes]:
        """Pack a command, whose name may be of two words.

        Raises:
            redis.DataError: A part is neither text, bytes nor a number.
        """
        name, *rest = parts
        words = name.split() if isinstance(name, str | bytes) else [name]
        plain = (bytes(part) if isinstance(part, bytearray | memoryview) else part for part in rest)
        try:
            return [pack(tuple(cast("list[Part]", [*words, *plain])))]
        except TypeError as error:
            raise redis_errors.DataError(str(error)) from error
