"""Reads a long message in pieces: one call of protobuf's parser holds the interpreter for all that it is given.

A message that is cut between two of its fields is two messages, which merged are the one: so protobuf defines it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError

from orders_service import errors

if TYPE_CHECKING:
    from google.protobuf.message import Message

#: So much is parsed in a fraction of a millisecond.
_PIECE_BYTES: Final = 64 << 10
#: In one field of a message: of each list some more than any call takes, so that their rules say how many may come.
MAX_ITEMS: Final = 11_000
#: No field of any message holds more by itself.
MAX_VALUE_BYTES: Final = 4 << 20
#: Of a list of messages each may have so much: the longest texts of an order fit several times.
MAX_ITEM_BYTES: Final = 64 << 10


def read(message: Message, data: bytes) -> None:
    """Fill an empty message. Takes a while: for a thread.

    Raises:
        DecodeError: It isn't one.
        InvalidInput: A list in it is longer than any may be, or one of a list.
    """
    fields: Any = message.DESCRIPTOR.fields_by_number
    counts: dict[int, int] = {}
    begin = place = 0
    while place < len(data):
        key, at = _varint(data, place)
        number = key >> 3
        place = _end_of_value(data, at, key & 7)
        if place > len(data):
            raise DecodeError("it is cut off")
        if place - at > MAX_VALUE_BYTES:
            raise DecodeError("it has a value that none of ours is as long as")
        field = fields.get(number)
        if field is not None and field.is_repeated:
            index = counts.get(number, 0)
            counts[number] = index + 1
            if index >= MAX_ITEMS:
                raise errors.InvalidInput.of(field.name, f"has more than {MAX_ITEMS} entries: send less at once.")
            if field.message_type is not None and place - at > MAX_ITEM_BYTES:
                raise errors.InvalidInput.of(f"{field.name}[{index}]", f"is longer than {MAX_ITEM_BYTES} bytes.")
        if place - begin >= _PIECE_BYTES:
            message.MergeFromString(data[begin:place])
            begin = place
    message.MergeFromString(data[begin:])


def _end_of_value(data: bytes, place: int, kind: int) -> int:
    match kind:
        case 0:
            return _varint(data, place)[1]
        case 1:
            return place + 8
        case 2:
            size, place = _varint(data, place)
            return place + size
        case 5:
            return place + 4
    raise DecodeError("it has a field of no known kind")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise DecodeError("it is cut off")
