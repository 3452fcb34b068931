"""Whether the demo kept the promises: each order in its right end, each paid for exactly once. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from orders_service import cadastral
from orders_service.v1 import orders_pb2

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def find_faults(
    orders: Sequence[orders_pb2.Order],
    ledger: dict[str, Any],
    unknown: Collection[str],
    submitted: int,
    other_numbers: Collection[str] = (),
) -> list[str]:
    """Compare the orders with what the portal charged; one sentence for each fault, none when all is well.

    Args:
        orders: The demo's orders at the end.
        ledger: The simulator's `GET /_simulator/ledger`.
        unknown: Cadastral numbers that the portal doesn't know: their orders must have failed, and cost nothing.
        submitted: How many orders were submitted.
        other_numbers: Of orders of earlier runs, where the database isn't a fresh one; not judged.
    """
    faults = []
    if len(orders) != submitted:
        faults.append(f"{submitted} orders were submitted, and {len(orders)} are there.")
    for order in orders:
        expected = orders_pb2.ORDER_STATE_FAILED if order.cad_num in unknown else orders_pb2.ORDER_STATE_COMPLETED
        if order.state != expected:
            faults.append(f"Order {order.order_id} ({order.cad_num}) ended as «{order.status}».")
    faults += _find_wrong_charges(orders, [one for one in ledger["charges"] if one["number"] not in other_numbers])
    return faults


def _find_wrong_charges(orders: Sequence[orders_pb2.Order], charges: Sequence[dict[str, Any]]) -> list[str]:
    faults = []
    charged = Counter(charge["number"] for charge in charges)
    by_number = {order.order_number: order for order in orders if order.order_number}
    for number, count in charged.items():
        if count > 1:
            faults.append(f"The number {number} was charged {count} times.")
    for charge in charges:
        order = by_number.get(charge["number"])
        if order is None:
            faults.append(f"{charge['account']} paid for {charge['number']} ({charge['cad_num']}), which no order has.")
        elif not cadastral.same_object(order.cad_num, charge["cad_num"]) or order.account != charge["account"]:
            faults.append(f"Order {order.order_id} has the number {charge['number']} of another object or account.")
    for order in orders:
        if order.order_number and order.order_number not in charged:
            faults.append(
                f"Order {order.order_id} has the number {order.order_number}, which the portal never charged."
            )
        if not order.order_number and order.state == orders_pb2.ORDER_STATE_COMPLETED:
            faults.append(f"Order {order.order_id} is completed without a number.")
    if len(by_number) != sum(1 for order in orders if order.order_number):
        faults.append("Two orders have one number.")
    return faults
