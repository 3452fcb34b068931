"""A long message read in pieces is the message, whatever is in it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.message import DecodeError

from orders_service import errors
from orders_service.api.grpc import wire
from orders_service.v1 import orders_pb2
from tests.unit.orders_service.api.auth.contract import RPCS
from tests.unit.orders_service.api.auth.test_masking import filled


def read(kind: Any, data: bytes) -> Any:
    message = kind()
    wire.read(message, data)
    return message


@pytest.mark.parametrize("piece", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_it_is_what_protobuf_reads_at_once(rpc: str, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_PIECE_BYTES", piece)
    message = filled(RPCS[rpc].input_type)
    kind = message_factory.GetMessageClass(RPCS[rpc].input_type)
    # Unknown fields of each kind, as a newer client sends them.
    unknown = b"\xf8\x7f\x96\x01" + b"\xf9\x7f" + b"8" * 8 + b"\xfa\x7f\x03abc" + b"\xfd\x7f" + b"4" * 4
    data = message.SerializeToString() + unknown + message.SerializeToString()

    assert read(kind, data) == kind.FromString(data)


def test_rubbish_is_told_as_such_and_never_hangs() -> None:
    chance = random.Random(7)
    request = orders_pb2.BatchCreateOrdersRequest(orders=[orders_pb2.NewOrder(cad_num="77:01:0001001:1")] * 5)
    whole = request.SerializeToString()
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        data = data[: chance.randint(0, len(data))]
        try:
            expected = orders_pb2.BatchCreateOrdersRequest.FromString(bytes(data))
        except DecodeError:
            expected = None
        try:
            found = read(orders_pb2.BatchCreateOrdersRequest, bytes(data))
        except DecodeError:
            found = None
        # Groups are read by protobuf and are nothing of ours; all else is the same.
        assert found == expected or found is None


def test_a_list_longer_than_any_may_be_is_refused_before_it_is_read() -> None:
    """A megabyte of nothing would be half a million orders."""
    with pytest.raises(errors.InvalidInput, match="orders: has more than 11000 entries"):
        read(orders_pb2.BatchCreateOrdersRequest, b"\x0a\x00" * 500_000)


def test_one_of_a_list_that_is_longer_than_any_may_be_is_named() -> None:
    orders = [orders_pb2.NewOrder(cad_num="77"), orders_pb2.NewOrder(comment="x" * 70_000)]
    data = orders_pb2.BatchCreateOrdersRequest(orders=orders).SerializeToString()

    with pytest.raises(errors.InvalidInput, match=r"orders\[1\]: is longer than 65536 bytes"):
        read(orders_pb2.BatchCreateOrdersRequest, data)
