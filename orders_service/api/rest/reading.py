"""From path, query and body to the rpc's request: one JSON object, read by the rules of proto3 JSON."""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from orders_service import errors
from orders_service.api.rest import faults
from orders_service.api.rest.bindings import find_field
from orders_service.api.rest.faults import WORDS
from orders_service.api.rest.faults import cut as _cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from orders_service.api.rest.bindings import Binding

_MAX_PARAMETERS: Final = 1000
_BOOLEANS: Final = {"true": True, "false": False}


def read_request(binding: Binding, path: Mapping[str, str], query: str, body: bytes) -> Message:
    """Return the rpc's request. Takes long for a long body: not on the event loop.

    Raises:
        InvalidInput: Names each part of the request that can't be read, and why.
    """
    fields = _read_body(binding, body)
    parameters = _read_query(binding, query, path)
    for name, value in parameters.items():
        _put(fields, name, value)
    for name, text in path.items():
        _put_variable(binding, fields, name, text)
    request = binding.new_request()
    try:
        json_format.ParseDict(fields, request)
    except Exception as error:
        # Mostly ParseError; its own checks leave a few kinds of wrong values to Python.
        raise errors.InvalidInput(faults.find(binding.method.input_type, fields, error)) from error
    if faults.has_wrong_enum(binding.method.input_type, fields):
        unread = ValueError("an enum is no whole number of its range")
        raise errors.InvalidInput(faults.find(binding.method.input_type, fields, unread))
    return request


def _read_body(binding: Binding, body: bytes) -> dict[str, Any]:
    value = _load(body)
    if not binding.body:
        if value:
            raise errors.InvalidInput.of("body", "is given, and this call takes none: use path and query.")
        return {}
    if not isinstance(value, dict):
        raise errors.InvalidInput.of("body", "must be a JSON object.")
    return value if binding.body == "*" else {binding.body: value}


def _load(body: bytes) -> Any:
    if not body.strip():
        return {}
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except errors.InvalidInput:
        raise
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else _cut(str(error))
        raise errors.InvalidInput.of("body", f"isn't JSON in UTF-8: {reason}.") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make the object, unless it says one thing twice: which of both would count?"""
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise errors.InvalidInput.of("body", f"names {_cut(twice)!r} twice in one object.")
    return made


def _refuse_constant(name: str) -> Any:
    raise errors.InvalidInput.of("body", f"isn't JSON: it has no {name}; write it as a string.")


def _read_query(binding: Binding, query: str, path: Mapping[str, str]) -> dict[str, Any]:
    try:
        pairs = urllib.parse.parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS, separator="&"
        )
    except UnicodeDecodeError as error:
        raise errors.InvalidInput.of("query", "isn't UTF-8 behind its percent signs.") from error
    except ValueError as error:
        raise errors.InvalidInput.of("query", f"has more than {_MAX_PARAMETERS} parameters.") from error
    violations: list[errors.Violation] = []
    values: dict[str, Any] = {}
    for name, text in pairs:
        try:
            _add_parameter(binding, values, name, text, path)
        except errors.InvalidInput as error:
            violations += error.violations
    if violations:
        raise errors.InvalidInput(violations)
    return values


def _add_parameter(binding: Binding, values: dict[str, Any], name: str, text: str, path: Mapping[str, str]) -> None:
    field = find_field(binding.method.input_type, name)
    shown = _cut(name)
    if field is None or binding.body == "*":
        raise errors.InvalidInput.of(shown, "is no parameter of this call.")
    if field.message_type is not None and field.message_type.full_name not in WORDS:
        raise errors.InvalidInput.of(shown, "can't be given in the query.")
    if name in path or name.split(".")[0] == binding.body:
        raise errors.InvalidInput.of(shown, "is given by the path or the body already.")
    value = _read_word(field, shown, text)
    if field.is_repeated:
        values.setdefault(name, []).append(value)
    elif name in values:
        raise errors.InvalidInput.of(shown, "is given twice.")
    else:
        values[name] = value


def _read_word(field: FieldDescriptor, name: str, text: str) -> Any:
    """Turn a word of path or query into what JSON would hold; numbers and enums are read from strings anyway."""
    if field.type != FieldDescriptor.TYPE_BOOL:
        return text
    if text not in _BOOLEANS:
        raise errors.InvalidInput.of(name, "must be true or false.")
    return _BOOLEANS[text]


def _put_variable(binding: Binding, fields: dict[str, Any], name: str, text: str) -> None:
    field = find_field(binding.method.input_type, name)
    assert field is not None, "a binding's variables are fields of its request"
    value = _read_word(field, name, text)
    given = _get(fields, name)
    if given is not None and str(given) != text:
        raise errors.InvalidInput.of(name, f"is {_cut(text)!r} in the path and {_cut(str(given))!r} in the body.")
    _put(fields, name, value)


def _get(fields: dict[str, Any], path: str) -> Any:
    node: Any = fields
    for name in path.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _put(fields: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    node: Any = fields
    for name in parents:
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            raise errors.InvalidInput.of(name, "must be a JSON object.")
    node[last] = value
