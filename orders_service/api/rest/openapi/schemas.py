"""JSON Schemas of the contract's messages, as proto3 JSON writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from google.protobuf.descriptor import Descriptor, EnumDescriptor

    from orders_service.api.rest.openapi.comments import Comments

Schema = dict[str, Any]

_INT64: Final = {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"}
_UINT64: Final = {"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"}
_INT32: Final = {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1}
_UINT32: Final = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**32 - 1}
_SCALARS: Final[dict[int, Schema]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
}
_WELL_KNOWN: Final[dict[str, Schema]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
}


class Schemas:
    """Collects the components that are referred to.

    Args:
        asked: Full names of the messages that requests are made of: in these nothing unknown is taken. In the others
            whatever always stands is required, and more may come in a later version.
    """

    def __init__(self, comments: Comments, asked: Collection[str]) -> None:
        self._comments = comments
        self._asked = asked
        #: The components so far, by name.
        self.components: dict[str, Schema] = {}

    def refer(self, described: Descriptor) -> Schema:
        """Return a reference to the message's schema, which is made where there is none yet."""
        if described.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[described.full_name])
        if described.name not in self.components:
            self.components[described.name] = {}  # a message may hold itself
            self.components[described.name] = self.make(described)
        return {"$ref": f"#/components/schemas/{described.name}"}

    def make(self, described: Descriptor, without: Collection[str] = ()) -> Schema:
        """Return the schema of a message without some of its fields, given by dotted paths."""
        is_asked = described.full_name in self._asked
        properties: dict[str, Schema] = {}
        required = []
        for field in described.fields:
            if field.name in without:
                continue
            inner = [path.partition(".")[2] for path in without if path.startswith(f"{field.name}.")]
            if inner and field.message_type is not None:
                properties[field.name] = self.make(field.message_type, inner)
            else:
                properties[field.name] = self.field(field)
            if is_required(field) or not (is_asked or field.has_presence):
                required.append(field.name)
        schema: Schema = {"type": "object"}
        if text := self._describe(described):
            schema["description"] = text
        schema["properties"] = properties
        if required:
            schema["required"] = required
        if is_asked:
            schema["additionalProperties"] = False
        return schema

    def field(self, field: FieldDescriptor) -> Schema:
        """Return the schema of a field, with its comment."""
        one: Schema
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            one = {"type": "object", "additionalProperties": self._one(field.message_type.fields_by_name["value"])}
        elif field.is_repeated:
            one = {"type": "array", "items": self._one(field)}
        else:
            one = self._one(field)
        if text := self._comments.of(field.full_name):
            one["description"] = text
        behaviors = behaviors_of(field)
        if field_behavior_pb2.INPUT_ONLY in behaviors:
            one["writeOnly"] = True
        if field_behavior_pb2.OUTPUT_ONLY in behaviors:
            one["readOnly"] = True
        return one

    def _one(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            return self.refer(field.message_type)
        if field.enum_type is not None:
            return self._refer_to_enum(field.enum_type)
        return dict(_SCALARS[field.type])

    def _refer_to_enum(self, described: EnumDescriptor) -> Schema:
        if described.name not in self.components:
            lines = [self._comments.of(described.full_name), ""]
            for value in described.values:
                text = self._comments.of(f"{described.full_name}.{value.name}")
                lines.append(f"- `{value.name}`" + (f": {text}" if text else ""))
            self.components[described.name] = {
                "type": "string",
                "description": "\n".join(lines).strip(),
                "enum": [value.name for value in described.values],
            }
        return {"$ref": f"#/components/schemas/{described.name}"}

    def _describe(self, described: Descriptor) -> str:
        text = self._comments.of(described.full_name)
        for group in described.oneofs:
            names = [field.name for field in group.fields]
            if len(names) > 1:
                text += f"\n\nOnly one of {', '.join(names[:-1])} and {names[-1]}."
        return text.strip()


def behaviors_of(field: FieldDescriptor) -> list[int]:
    """Return the field's `google.api.field_behavior`."""
    return list(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def is_required(field: FieldDescriptor) -> bool:
    """Whether the contract says that the field must be given."""
    return field_behavior_pb2.REQUIRED in behaviors_of(field)


def reachable_from(described: Descriptor, seen: set[str] | None = None) -> set[str]:
    """Return the full names of the message and of every message in it."""
    seen = set() if seen is None else seen
    if described.full_name not in seen:
        seen.add(described.full_name)
        for inner in _messages_in(described):
            reachable_from(inner, seen)
    return seen


def _messages_in(described: Descriptor) -> Iterator[Descriptor]:
    return (field.message_type for field in described.fields if field.message_type is not None)
