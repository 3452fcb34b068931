"""Plain bad input in any field of any call is never taken for a fault of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from orders_service.api.grpc import texts
from orders_service.server import SERVICES
from orders_service.v1 import operator_pb2, orders_pb2, rosreestr_users_pb2, worker_pb2
from tests.integration.orders_service.commands.test_commands import database, service, shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from tests.integration.orders_service.serving import Service

__all__ = ["database", "service", "shared"]

FILES = (orders_pb2, operator_pb2, rosreestr_users_pb2, worker_pb2)
#: The service's own words for a fault of its own.
FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS}
_INTS = {
    FieldDescriptor.TYPE_INT32: (2**31 - 1, -(2**31)),
    FieldDescriptor.TYPE_INT64: (2**63 - 1, -(2**63)),
    FieldDescriptor.TYPE_ENUM: (2**31 - 1, -(2**31)),
}


def methods() -> dict[str, Any]:
    """Every method of the contract by its full name."""
    return {
        f"/{one.full_name}/{method.name}": method
        for file in FILES
        for one in file.DESCRIPTOR.services_by_name.values()
        for method in one.methods
    }


def fields_of(descriptor: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every field that is no message, by its way from the request."""
    for field in descriptor.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from fields_of(field.message_type, (*path, field))
        else:
            yield (*path, field)


def with_value(message: Message, path: tuple[Any, ...], value: Any) -> Message:
    """Set one field of a request, and nothing beside it."""
    here: Any = message
    for field in path[:-1]:
        place = getattr(here, field.name)
        if field.message_type.GetOptions().map_entry:
            key, content = (value, "x") if path[-1].name == "key" else ("x", value)
            place[key] = content
            return message
        here = place.add() if field.is_repeated else place
        if not field.is_repeated:
            here.SetInParent()
    last = path[-1]
    if last.is_repeated:
        getattr(here, last.name).append(value)
    else:
        setattr(here, last.name, value)
    return message


def bad_values(field: Any) -> tuple[Any, ...]:
    if field.type == FieldDescriptor.TYPE_STRING:
        return ("a\0b", "я" * (texts.MAX_TOLD + 1000))
    return _INTS.get(field.type, ())


def answer(service: Service, name: str, method: Any, data: bytes) -> grpc.RpcError | None:
    """Call with these very bytes; the error, or None where it was answered."""
    read = GetMessageClass(method.output_type).FromString
    kinds = {
        (False, False): service.channel.unary_unary,
        (False, True): service.channel.unary_stream,
        (True, False): service.channel.stream_unary,
    }
    kind = kinds[method.client_streaming, method.server_streaming]
    call: Any = kind(name, request_serializer=lambda data: data, response_deserializer=read)
    try:
        answered = call(iter([data]) if method.client_streaming else data, timeout=30)
        if method.name.startswith("Watch"):
            # Begun at once, and never over by itself.
            next(answered)
            answered.cancel()
        elif method.server_streaming:
            list(answered)
    except grpc.RpcError as error:
        return error
    return None


def reason_of(error: Any) -> str:
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert any(detail.Unpack(info) for detail in status.details)
    return str(info.reason)


def test_every_service_of_the_contract_is_served_and_looked_through() -> None:
    assert {name.rpartition("/")[0][1:] for name in methods()} == set(SERVICES)


@pytest.mark.parametrize("name", methods())
def test_no_value_of_any_field_is_taken_for_a_fault_of_the_service(service: Service, name: str) -> None:
    method = methods()[name]
    request = GetMessageClass(method.input_type)
    told = 0
    for path in fields_of(method.input_type):
        for value in bad_values(path[-1]):
            error: Any = answer(service, name, method, with_value(request(), path, value).SerializeToString())
            where = ".".join(field.name for field in path)
            told += 1
            assert error is None or error.code() not in FAULTS, (where, value, error.details())
            if error is not None:
                assert reason_of(error) not in ("", "UNSPECIFIED"), where
    assert told or not list(fields_of(method.input_type))
    assert "call_broken" not in service.process.log


@pytest.mark.parametrize("name", methods())
def test_what_is_no_message_at_all_is_the_callers_fault(service: Service, name: str) -> None:
    error: Any = answer(service, name, methods()[name], b"\xff\xff\xff")

    assert error is not None
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "INVALID_INPUT"
