"""The demo's verdict: it must find every way in which the promises could be broken."""

from __future__ import annotations

import re

import pytest

from orders_service.dev import judge
from orders_service.v1 import orders_pb2

UNKNOWN = "77:05:0009999:404"


def make_order(order_id=1, state=orders_pb2.ORDER_STATE_COMPLETED, **fields):
    defaults = {
        "cad_num": "77:01:0001001:1",
        "account": "a",
        "order_number": f"OfSite-{order_id}",
        "status": "Выполнен",
    }
    return orders_pb2.Order(order_id=order_id, state=state, **{**defaults, **fields})


def make_charge(number="OfSite-1", **fields):
    return {"number": number, "account": "a", "cad_num": "77:01:0001001:1", **fields}


def failed(order_id=2):
    return make_order(order_id, orders_pb2.ORDER_STATE_FAILED, cad_num=UNKNOWN, order_number="")


def find(orders, charges, submitted=None):
    return judge.find_faults(orders, {"charges": charges}, {UNKNOWN}, len(orders) if submitted is None else submitted)


def test_orders_that_were_each_paid_once_have_no_fault():
    assert find([make_order(1), failed(2)], [make_charge()]) == []


def test_another_spelling_of_the_object_is_no_fault():
    assert find([make_order(1, cad_num="50:20:0100711:40")], [make_charge(cad_num="50:20:100711:40")]) == []


@pytest.mark.parametrize(
    ("orders", "charges", "words"),
    [
        ([make_order(1)], [make_charge(), make_charge()], "charged 2 times"),
        ([make_order(1)], [make_charge(), make_charge("OfSite-9")], "which no order has"),
        ([make_order(1)], [], "never charged"),
        ([make_order(1)], [make_charge(cad_num="77:01:0001001:2")], "of another object or account"),
        ([make_order(1)], [make_charge(account="b")], "of another object or account"),
        ([make_order(1, order_number="")], [], "completed without a number"),
        ([make_order(1), make_order(2, order_number="OfSite-1")], [make_charge()], "Two orders have one number"),
        ([make_order(1, orders_pb2.ORDER_STATE_UNCONFIRMED)], [make_charge()], "Order 1 .* ended as"),
        ([make_order(1, orders_pb2.ORDER_STATE_FAILED, order_number="")], [], "Order 1 .* ended as"),
        ([make_order(1, cad_num=UNKNOWN)], [make_charge(cad_num=UNKNOWN)], "Order 1 .* ended as"),
        ([failed(2)], [make_charge("OfSite-2", cad_num=UNKNOWN)], "which no order has"),
    ],
)
def test_each_broken_promise_is_named(orders, charges, words):
    faults = find(orders, charges)

    assert len(faults) == 1
    assert re.search(words, faults[0])


def test_a_lost_order_is_a_fault():
    assert find([make_order(1)], [make_charge()], submitted=2) == ["2 orders were submitted, and 1 are there."]


def test_charges_of_earlier_runs_are_not_judged():
    ledger = {"charges": [make_charge(), make_charge("OfSite-of-before")]}

    assert judge.find_faults([make_order(1)], ledger, set(), 1, {"OfSite-of-before"}) == []
