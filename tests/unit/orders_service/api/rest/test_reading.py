"""From path, query and body to the rpc's request; the table of what can't be read is made from the contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from orders_service import errors
from orders_service.api.rest.bindings import read_bindings
from orders_service.api.rest.reading import read_request
from orders_service.server import REST_SERVICES
from orders_service.v1 import orders_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor

    from orders_service.api.rest.bindings import Binding

BINDINGS = {binding.operation_id: binding for binding in read_bindings(REST_SERVICES)}
#: Values that can't be read as any of the others' kinds, by the kind of field.
WRONG: dict[int, list[Any]] = {
    FieldDescriptor.TYPE_STRING: [1, True, [], {}, "\ud800"],
    FieldDescriptor.TYPE_BOOL: ["true", 1, [], {}],
    FieldDescriptor.TYPE_INT32: ["x", "", True, 1.5, 2**31, [], {}, "1e400", float(10**30)],
    FieldDescriptor.TYPE_INT64: ["x", "", True, 1.5, 2**63, str(2**63), [], {}],
    FieldDescriptor.TYPE_ENUM: ["NONSENSE", "", 1.5, [], {}, 2**40],
    FieldDescriptor.TYPE_MESSAGE: [1, "x", True, [1]],
}


def faults(operation: str, path: dict[str, str] | None = None, query: str = "", body: Any = None) -> dict[str, str]:
    """Read a request that can't be read; each field with its rule."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    with pytest.raises(errors.InvalidInput) as caught:
        read_request(BINDINGS[operation], path or {}, query, data)
    return {violation.field: violation.rule for violation in caught.value.violations}


def fields_of(described: Descriptor, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldDescriptor]]:
    """Every field of a request's body, with the names on the way to it."""
    for field in described.fields:
        yield (*path, field.name), field
        inner = field.message_type
        if inner is not None and not inner.full_name.startswith("google.") and not inner.GetOptions().map_entry:
            yield from fields_of(inner, (*path, field.name))


def wrap(described: Descriptor, path: tuple[str, ...], value: Any) -> tuple[Any, str]:
    """The body in which this one field has the value, and the field's path as it is told."""
    name, *rest = path
    field = described.fields_by_name[name]
    told = name
    if rest:
        assert field.message_type is not None
        value, inner = wrap(field.message_type, tuple(rest), value)
        told = f"{name}[0].{inner}" if field.is_repeated else f"{name}.{inner}"
    elif field.is_repeated:
        told = f"{name}[0]"
    return {name: [value] if field.is_repeated else value}, told


def wrong_values() -> Iterator[tuple[Binding, dict[str, Any], str]]:
    for binding in BINDINGS.values():
        if not binding.body:
            continue
        described = binding.method.input_type
        if binding.body != "*":
            body = described.fields_by_name[binding.body].message_type
            assert body is not None
            described = body
        for path, field in fields_of(described):
            group = field.containing_oneof
            if group is not None and any(one.name in binding.template.fields for one in group.fields):
                continue  # the path says which: any value is one too many
            is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
            for value in [1, "x", True] if is_map else WRONG[field.type]:
                if is_map:
                    made, told = {path[-1]: value}, path[-1]
                    if len(path) > 1:
                        made, told = {path[0]: made}, f"{path[0]}.{told}"
                else:
                    made, told = wrap(described, path, value)
                yield binding, made, told


def test_each_field_of_each_body_with_each_kind_of_wrong_value_is_named_alone() -> None:
    tried = 0
    for binding, body, told in wrong_values():
        variables = dict.fromkeys(binding.template.fields, "7")
        prefix = "" if binding.body == "*" else f"{binding.body}."
        found = faults(binding.operation_id, variables, body=body)
        assert len(found) == 1, (binding.operation_id, body, found)
        (name,) = found
        if name not in variables:  # else it is told as another value than the path's
            # A wrong value may itself be an object or a list, and then what is in it is named.
            assert name == prefix + told or name.startswith(prefix + told), (binding.operation_id, body, found)
        tried += 1
    assert tried > 150


def test_null_is_as_if_it_was_not_there() -> None:
    for binding in BINDINGS.values():
        if binding.body == "*" and not binding.template.fields:
            body = json.dumps({field.name: None for field in binding.method.input_type.fields}).encode()
            assert read_request(binding, {}, "", body) == binding.new_request()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "isn't JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 50_000, "nested too deep"),
        (b"\xff", "isn't JSON in UTF-8"),
        (b'"x"', "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (b"1", "must be a JSON object"),
        (b"9" * 5000, "isn't JSON"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"orders":NaN}', "NaN"),
        (b'{"orders":-Infinity}', "-Infinity"),
        (b"\xef\xbb\xbf{}", "isn't JSON"),
    ],
)
def test_what_is_no_json_object_is_told_so(body: bytes, words: str) -> None:
    assert words in faults("BatchCreateOrders", body=body)["body"]


def test_a_body_where_none_belongs_is_refused_and_an_empty_one_is_not() -> None:
    activate = BINDINGS["ActivateRosreestrUser"]

    assert "takes none" in faults("ActivateRosreestrUser", {"account_id": "1"}, body={"account": "x"})["body"]
    for body in (b"", b"  ", b"{}"):
        assert read_request(activate, {"account_id": "1"}, "", body).account_id == 1  # type: ignore[attr-defined]


def test_words_of_the_query_become_what_the_fields_are() -> None:
    query = "page_size=7&states=ORDER_STATE_QUEUED&states=2&onlyOnHold=true&created_from=2026-11-29T18:00:00%2B03:00"

    request = read_request(BINDINGS["ListOrders"], {}, query, b"")

    assert isinstance(request, orders_pb2.ListOrdersRequest)
    assert (request.page_size, list(request.states), request.only_on_hold) == (7, [1, 2], True)
    assert request.created_from.ToJsonString() == "2026-11-29T15:00:00Z"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("x=1", "x"),
        ("page_size=x", "page_size"),
        ("page_size=", "page_size"),
        ("page_size=1&page_size=2", "page_size"),
        ("only_on_hold=yes", "only_on_hold"),
        ("states=X", "states[0]"),
        ("created_from=1", "created_from"),
        ("created_from.seconds=1", "created_from.seconds"),
        ("cad_num=%ff", "query"),
        ("&".join(["states=1"] * 1001), "query"),
    ],
)
def test_a_parameter_that_can_not_be_read_is_named(query: str, field: str) -> None:
    if field == "created_from.seconds":
        # A time is one word.
        assert set(faults("ListOrders", query=query)) <= {field, "created_from"}
    else:
        assert set(faults("ListOrders", query=query)) == {field}


def test_path_and_body_may_say_the_same_but_not_something_else() -> None:
    said = {"basis": {"order_id": "7", "case_no": 1}}

    assert faults("ResumeOrder", {"basis.order_id": "8"}, body=said).keys() == {"basis.order_id"}
    same: Any = read_request(BINDINGS["ResumeOrder"], {"basis.order_id": "7"}, "", json.dumps(said).encode())
    filled: Any = read_request(BINDINGS["ResumeOrder"], {"basis.order_id": "7"}, "", b"{}")
    assert (same.basis.order_id, same.basis.case_no, filled.basis.order_id) == (7, 1, 7)


def test_only_one_of_a_group_is_taken() -> None:
    found = faults("GetOrder", {"order_id": "7"}, query="idempotency_key=x")

    assert any("only one of order_id, idempotency_key" in rule for rule in found.values()), found


def test_faults_are_told_up_to_a_thousand() -> None:
    assert len(faults("BatchCreateOrders", body={"orders": [{"cad_num": 1}] * 3000})) == 1000


@pytest.mark.parametrize("value", ["1.5", "1099511627776", "4294967297", "-4294967295", "9" * 5000])
def test_no_number_of_a_query_is_cut_down_to_an_enums_value(value: str) -> None:
    assert set(faults("ListOrders", query=f"states={value}")) == {"states[0]"}
