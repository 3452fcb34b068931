"""An order's way from the queue to its extract, and each step's repeat."""

from __future__ import annotations

from tests.integration.orders_service.life.bench import Bench, row


def test_an_order_goes_from_the_queue_to_its_number(bench: Bench) -> None:
    order_id = bench.add_order()

    holder = bench.claim(order_id)
    bench.intend(holder)
    bench.upload(holder)
    gated = bench.gate(holder)
    bench.answer(holder, "N-1")
    told = bench.read(holder, row(901, "N-1"))

    assert gated.order.state == "unconfirmed"
    assert gated.open_send is not None
    assert told.is_weighed
    assert told.order.order.number == "N-1"
    assert told.order.order.lane == "@first"
    order = bench.order(order_id)
    assert (order["state"], order["rosreestr_order_num"], order["rosreestr_application_id"]) == (
        "registered",
        "N-1",
        901,
    )
    assert [send["outcome"] for send in bench.sends(order_id)] == ["number"]
    moves = [(event["from_state"], event["to_state"]) for event in bench.events(order_id, "transition")]
    assert moves == [("queued", "processing"), ("processing", "unconfirmed"), ("unconfirmed", "registered")]
