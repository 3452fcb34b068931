"""What a viewer sees of an answer, and the audit of a request: nothing secret, and nobody's personal data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

#: In place of what isn't shown.
MASK: Final = "***"

#: Fields of answers that may name a person, or that a client chose the words of.
PERSONAL: Final = frozenset(
    {
        "Order.recipient",
        "Order.comment",
        "Order.idempotency_key",
        "RosreestrUser.gu_login",
        "RosreestrUser.role",
        "RosreestrUser.comment",
        "BatchGetOrdersResponse.missing_idempotency_keys",
    }
)

#: Texts of requests that the audit keeps as they are: names and numbers of things, and the reasons that people give.
AUDITED: Final = frozenset(
    {"account", "webhook_name", "number", "despite", "send_id", "actor", "reason", "cad_num", "declarant_category"}
)
#: Of a longer list the audit keeps how long it is.
_MAX_ITEMS: Final = 20
_MAX_TEXT: Final = 500


def mask(message: Message) -> Message:
    """Return a copy for a viewer."""
    copy = type(message)()
    copy.CopyFrom(message)
    _mask_in_place(copy)
    return copy


def is_personal(field: Any) -> bool:
    """Whether the field of this descriptor is hidden from viewers."""
    return f"{field.containing_type.name}.{field.name}" in PERSONAL


def for_audit(request: Message) -> dict[str, Any]:
    """Return what the audit keeps of a request: an unknown text becomes its length, so that no secret slips in."""
    kept: dict[str, Any] = {}
    for field, value in request.ListFields():
        kept[field.name] = _kept_of(field, value)
    return kept


def _mask_in_place(message: Message) -> None:
    for field, value in message.ListFields():
        if is_personal(field):
            if field.is_repeated:
                value[:] = [MASK] * len(value)
            else:
                setattr(message, field.name, MASK)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for one in _messages(field, value):
                _mask_in_place(one)


def _messages(field: Any, value: Any) -> Iterator[Message]:
    if not field.is_repeated:
        yield value
    elif field.message_type.GetOptions().map_entry:
        if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
            yield from value.values()
    else:
        yield from value


def _kept_of(field: Any, value: Any) -> Any:
    if field.is_repeated:
        if len(value) > _MAX_ITEMS or (field.message_type and field.message_type.GetOptions().map_entry):
            return f"{len(value)} items"
        return [_one(field, one) for one in value]
    return _one(field, value)


def _one(field: Any, value: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return for_audit(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f"{len(value)} bytes"
    if field.type == FieldDescriptor.TYPE_STRING:
        is_kept = field.name in AUDITED
        return value[:_MAX_TEXT].replace("\0", "\ufffd") if is_kept else f"{len(value)} characters"
    if field.type == FieldDescriptor.TYPE_ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    # JSON has no such numbers.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
