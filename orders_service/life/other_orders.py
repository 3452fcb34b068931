"""What the account's other orders say about a row, an object or a balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orders_service.domain import adoption
from orders_service.store import queries

if TYPE_CHECKING:
    import datetime as dt

    from orders_service.domain.orders import Order, Send
    from orders_service.life.work import Work

_ORDER: Final = queries.load("life_order")
_JOURNAL: Final = queries.load("life_journal")


async def find_elsewhere(
    work: Work, order: Order, numbers: list[str], application_ids: list[int], *, account_id: int
) -> adoption.Elsewhere:
    """Return what other orders of the account have to do with these numbers and applications."""
    taken = await work.list(
        _ORDER["list_taken"],
        account_id=account_id,
        order_id=order.id,
        numbers=numbers,
        application_ids=application_ids,
    )
    same = [row for row in taken if row["cad_key"] == order.cad_key]
    doubtful = {
        row["number"]: f"The number {row['number']} is stored with order {row['order_id']}, of another object."
        for row in taken
        if row["cad_key"] != order.cad_key and row["number"] in numbers
    }
    named = await work.list(
        _ORDER["list_expected_elsewhere"],
        account_id=account_id,
        order_id=order.id,
        cad_key=order.cad_key,
        numbers=numbers,
    )
    for row in named:
        reason = f"The portal named the number {row['number']} to order {row['order_id']}, of the same object."
        doubtful.setdefault(row["number"], reason)
    return adoption.Elsewhere(
        numbers=frozenset(row["number"] for row in same if row["number"]),
        application_ids=frozenset(row["application_id"] for row in same if row["application_id"]),
        doubtful=doubtful,
    )


async def is_object_busy(work: Work, order: Order, *, account_id: int | None = None) -> bool:
    """Whether another order of the object is between gate and number with this account; by default the order's."""
    row = await work.find(
        _ORDER["find_busy_object"],
        account_id=account_id or order.rosreestr_user_id,
        cad_key=order.cad_key,
        order_id=order.id,
    )
    return row is not None


async def find_expected_balance(work: Work, order: Order, send: Send, read_at: dt.datetime) -> int:
    """Return what the balance must be where this send was never charged.

    The one before its gate, or the last that a person saw who decided about it, less what the account sent between then
    and the reading.
    """
    row = await work.get(
        _JOURNAL["count_later_numbers"],
        account_id=order.rosreestr_user_id,
        order_id=order.id,
        since=send.balance_at or send.gate_at,
        until=read_at,
    )
    return send.balance - int(row["spent"])
