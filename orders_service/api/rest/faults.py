"""What is wrong with JSON that can't be read as a message: every field of it, by its path, with what it should be."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor

from orders_service import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor

#: Messages that are one string in JSON.
WORDS: Final = {"google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"}

_MAX_FAULTS: Final = 1000
_MAX_SHOWN: Final = 100
#: No whole number of 32 bits has as many.
_LONGEST_DIGITS: Final = 12
_SHOULD_BE: Final = {
    FieldDescriptor.TYPE_STRING: "a string of whole characters",
    FieldDescriptor.TYPE_BYTES: "base64",
    FieldDescriptor.TYPE_BOOL: "true or false",
    FieldDescriptor.TYPE_DOUBLE: "a number",
    FieldDescriptor.TYPE_FLOAT: "a number",
    FieldDescriptor.TYPE_INT32: f"a whole number from {-(2**31)} to {2**31 - 1}",
    FieldDescriptor.TYPE_UINT32: f"a whole number from 0 to {2**32 - 1}",
    FieldDescriptor.TYPE_INT64: "a whole number of up to 19 digits",
    FieldDescriptor.TYPE_UINT64: "a whole number of up to 20 digits",
}
_WORDS_SHOULD_BE: Final = {
    "google.protobuf.Timestamp": "a time with its zone, like 2026-11-29T15:00:00Z",
    "google.protobuf.Duration": "seconds, like 1.5s",
}


def find(described: Descriptor, value: object, error: Exception) -> list[errors.Violation]:
    """Return what is wrong, at most a thousand of it; where nothing single is, what the reader said of the whole."""
    found = list(itertools.islice(_in_message(described, value, ""), _MAX_FAULTS))
    return found or [errors.Violation(field="body", rule=f"can't be read: {cut(' '.join(str(error).split()))}")]


def cut(text: str) -> str:
    """Shorten what a caller sent, to show it to him."""
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def _in_message(described: Descriptor, value: object, path: str) -> Iterator[errors.Violation]:
    if not isinstance(value, dict):
        yield errors.Violation(field=path or "body", rule="must be a JSON object.")
        return
    seen: set[str] = set()
    for name, part in value.items():
        place = f"{path}.{cut(name)}" if path else cut(name)
        field = described.fields_by_name.get(name) or described.fields_by_camelcase_name.get(name)
        if field is None:
            yield errors.Violation(field=place, rule="is no field of this call.")
            continue
        group = field.containing_oneof
        if group is not None and part is not None and len(group.fields) > 1:
            if group.name in seen:
                rule = f"is one too many: give only one of {', '.join(one.name for one in group.fields)}."
                yield errors.Violation(field=place, rule=rule)
            seen.add(group.name)
        if not _is_readable(described, name, part):
            yield from _in_field(described, field, name, part, place)


def _in_field(
    described: Descriptor, field: FieldDescriptor, name: str, value: object, place: str
) -> Iterator[errors.Violation]:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        if isinstance(value, dict):
            for key, part in value.items():
                if not _is_readable(described, name, {key: part}):
                    rule = _rule(inner.fields_by_name["value"])
                    yield errors.Violation(field=f"{place}[{cut(key)!r}]", rule=rule)
        else:
            yield errors.Violation(field=place, rule="must be a JSON object.")
    elif field.is_repeated:
        if not isinstance(value, list):
            yield errors.Violation(field=place, rule="must be a JSON array.")
            return
        for index, part in enumerate(value):
            if not _is_readable(described, name, [part]):
                yield from _in_one(field, part, f"{place}[{index}]")
    else:
        yield from _in_one(field, value, place)


def _in_one(field: FieldDescriptor, value: object, place: str) -> Iterator[errors.Violation]:
    if field.message_type is not None and field.message_type.full_name not in WORDS:
        yield from _in_message(field.message_type, value, place)
    else:
        yield errors.Violation(field=place, rule=_rule(field))


def _rule(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        return f"must be one of {', '.join(value.name for value in field.enum_type.values[1:])}."
    if field.message_type is not None:
        return f"must be {_WORDS_SHOULD_BE.get(field.message_type.full_name, 'a string')}."
    return f"must be {_SHOULD_BE.get(field.type, 'another value')}."


def _is_readable(described: Descriptor, name: str, value: Any) -> bool:
    try:
        json_format.ParseDict({name: value}, message_factory.GetMessageClass(described)())
    except Exception:
        return False
    return not has_wrong_enum(described, {name: value})


def has_wrong_enum(described: Descriptor, value: object) -> bool:
    """Whether an enum is given by what is no whole number of its range: protobuf cuts 1.5 down to 1, and 2^40 to 0."""
    if not isinstance(value, dict) or not _has_enum(described):
        return False
    for name, part in value.items():
        field = described.fields_by_name.get(name) or described.fields_by_camelcase_name.get(name)
        if field is None:
            continue
        parts = part if isinstance(part, list) else [part]
        if field.enum_type is not None and not all(map(_can_be_enum, parts)):
            return True
        inner = field.message_type
        if inner is not None and any(has_wrong_enum(inner, one) for one in parts):
            return True
    return False


def _can_be_enum(value: object) -> bool:
    if isinstance(value, str) and value.removeprefix("-").isdigit():
        value = int(value) if len(value) < _LONGEST_DIGITS else 2**31
    is_number = isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31
    return value is None or isinstance(value, str) or is_number


@functools.cache
def _has_enum(described: Descriptor) -> bool:
    """Whether a message, or one in it, has an enum: most have none, and their values needn't be looked at."""
    seen, waiting = set[str](), [described]
    while waiting:
        one = waiting.pop()
        if one.full_name in seen:
            continue
        seen.add(one.full_name)
        if any(field.enum_type is not None for field in one.fields):
            return True
        waiting += [field.message_type for field in one.fields if field.message_type is not None]
    return False
