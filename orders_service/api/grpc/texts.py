"""One check of every text that comes in, by the contract's own descriptors.

PostgreSQL keeps no NUL, and nothing is kept without bound. A text that breaks this is refused, naming its field; but
what a worker was told by others isn't: a fact must not be lost for a character. There the NUL is replaced, and the text
cut.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor

from orders_service import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    Descriptor = Any  # its type differs between protobuf's implementations

_PACKAGE: Final = "orders_service.v1."
#: What `orders.validation` checks itself, row by row, so that every bad row is told with all that is wrong with it.
_CHECKED_BY_ROW: Final = frozenset({f"{_PACKAGE}NewOrder"})
#: Messages, and fields of others, that hold the portal's words.
TOLD_BY_OTHERS: Final = frozenset(
    _PACKAGE + name
    for name in (
        "ApplicationRow",
        "FinishAnswer",
        "NotSent",
        "PortalRefusal",
        "ListReading",
        "MarkAccountRequest.reason",
        "ReleaseOrderRequest.reason",
        "FailOrderRequest.reason",
        "PaperHeader.file_name",
        "PaperHeader.registration_number",
        "PaperHeader.formed_on",
        "PaperHeader.reason",
    )
)
#: Of a text told by others: what the contract says of a portal's answer, with room to spare.
MAX_TOLD: Final = 8000
MAX_LENGTH: Final = 1000
#: Fields whose texts may be longer, by name.
_LONGER: Final = {"comment": 2000, "gu_login": 2000, "reason": 2000, "cookies": 8192, "value": 8192}


def check(message: Message) -> None:
    """Refuse a message with a text that can't be kept; texts told by others are made such as can.

    Raises:
        InvalidInput: Names each field. Never repeats what stood in it: it may be a secret.
    """
    violations = list(_violations(message, ""))
    if violations:
        raise errors.InvalidInput(violations)


def _violations(message: Message, path: str) -> Iterator[errors.Violation]:
    for field in _fields(message.DESCRIPTOR):
        if not (getattr(message, field.name) if field.is_repeated else _is_set(message, field)):
            continue
        value: Any = getattr(message, field.name)
        name = f"{path}{field.name}"
        if _is_map(field):
            yield from (
                violation for text in (*value.keys(), *value.values()) for violation in _broken(text, field, name)
            )
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for index, one in enumerate(value if field.is_repeated else (value,)):
                yield from _violations(one, f"{name}[{index}]." if field.is_repeated else f"{name}.")
        elif field.is_repeated:
            for index, text in enumerate(value):
                yield from _broken(text, field, f"{name}[{index}]")
        elif _is_told(field):
            setattr(message, field.name, clean(value))
        else:
            yield from _broken(value, field, name)


def clean(text: str) -> str:
    """Return a text as PostgreSQL can keep it."""
    return text.replace("\0", "\ufffd")[:MAX_TOLD]


def _broken(text: str, field: Descriptor, name: str) -> Iterator[errors.Violation]:
    limit = _LONGER.get(field.name, MAX_LENGTH)
    if len(text) > limit:
        yield errors.Violation(field=name, rule=f"may have up to {limit} characters, not {len(text)}.")
    if "\0" in text:
        yield errors.Violation(field=name, rule="may not hold a NUL character.")


@functools.cache
def _fields(descriptor: Descriptor) -> tuple[Descriptor, ...]:
    """Return the fields of a message that are texts, or have any."""
    return tuple(field for field in descriptor.fields if _has_texts(field))


def _has_texts(field: Descriptor) -> bool:
    if field.type == FieldDescriptor.TYPE_STRING:
        return True
    if field.type != FieldDescriptor.TYPE_MESSAGE or field.message_type.full_name in _CHECKED_BY_ROW:
        return False
    # No message of the contract's requests holds itself.
    return bool(_fields(field.message_type))


def _is_map(field: Descriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_MESSAGE and bool(field.message_type.GetOptions().map_entry)


def _is_set(message: Message, field: Descriptor) -> bool:
    return message.HasField(field.name) if field.has_presence else bool(getattr(message, field.name))


def _is_told(field: Descriptor) -> bool:
    return field.full_name in TOLD_BY_OTHERS or field.containing_type.full_name in TOLD_BY_OTHERS
