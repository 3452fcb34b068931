"""Following orders: what is said when it breaks off."""

from __future__ import annotations

import pytest

from orders_service.channel.settings import ChannelSettings
from orders_service.commands import following
from orders_service.commands.client import ServiceAway, connected
from orders_service.commands.context import Failure, Way
from orders_service.settings import Address
from orders_service.v1 import orders_pb2 as v1
from tests.servers import free_port

ORDERS = [v1.CreatedOrder(order_id=17), v1.CreatedOrder(order_id=18)]


def test_a_lost_service_leaves_the_orders_accepted_and_says_so() -> None:
    address = Way(address=Address(host="127.0.0.1", port=free_port()), channel=ChannelSettings())

    with pytest.raises(ServiceAway) as told, connected(address) as client, following.accepted_anyway(ORDERS, address):
        following.follow(client.orders, ORDERS, timeout_s=5, is_quiet=True)

    assert "can't be reached" in told.value.message
    assert "Orders 17, 18 are accepted and go on without this command" in told.value.message
    assert told.value.exit_code == 3


def test_ctrl_c_leaves_the_orders_accepted_and_says_so() -> None:
    address = Way(address=Address(host="127.0.0.1", port=5003), channel=ChannelSettings())

    with (
        pytest.raises(Failure, match="Order 17 is accepted and goes on"),
        following.accepted_anyway(ORDERS[:1], address),
    ):
        raise KeyboardInterrupt
