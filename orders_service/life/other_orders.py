"""What other orders of the same list at the portal say about a row, an object or a balance.

A list is a person's. What the system before this one ordered stands under its account instead (`persons_of_list` in
the schema), and is of the list of whoever that account is.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from orders_service.domain import adoption
from orders_service.store import queries

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from orders_service.domain.orders import Order, Send
    from orders_service.life.work import Work

_ORDER: Final = queries.load("life_order")

#: How long after its gate a send that was settled as absent, or given up, may still turn up, in seconds: three days.
LATE_ROW_S: Final = 3 * 24 * 3600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What the person's other orders have to do with what is looked at.

    Attributes:
        taken: Numbers and applications of the look that other orders have, by order.
        elsewhere: The same, as the rules of adoption take it.
        spent: How many sends of other orders ended in a number in the time that was asked about.
    """

    taken: tuple[int, ...]
    elsewhere: adoption.Elsewhere
    spent: int


async def look(
    work: Work,
    order: Order,
    send: Send,
    *,
    numbers: Iterable[str] = (),
    application_ids: Iterable[int] = (),
    until: dt.datetime | None = None,
) -> Neighbours:
    """Return what the other orders of the send's list have to do with these numbers and applications.

    Args:
        until: Charges up to here are counted; None: none are.
    """
    since = send.balance_at or send.gate_at
    rows = await work.list(
        _ORDER["read_elsewhere"],
        order_id=order.id,
        person_oid=send.person_oid,
        account_id=send.account_id,
        cad_key=order.cad_key,
        numbers=list(numbers),
        application_ids=list(application_ids),
        late_s=LATE_ROW_S,
        since=since,
        until=until or since,
    )
    taken = [row for row in rows if row["what"] == "taken"]
    same = [row for row in taken if row["cad_key"] == order.cad_key]
    doubtful = {
        row["number"]: f"The number {row['number']} is stored with order {row['order_id']}, of another object."
        for row in taken
        if row["cad_key"] != order.cad_key and row["number"] in numbers
    }
    for row in rows:
        if row["what"] == "expected":
            reason = f"The portal named the number {row['number']} to order {row['order_id']}, of the same object."
            doubtful.setdefault(row["number"], reason)
    return Neighbours(
        taken=tuple(row["order_id"] for row in taken),
        elsewhere=adoption.Elsewhere(
            numbers=frozenset(row["number"] for row in same if row["number"]),
            application_ids=frozenset(row["application_id"] for row in same if row["application_id"]),
            doubtful=doubtful,
            rivals=tuple(sorted({row["order_id"] for row in rows if row["what"] == "rival"})),
        ),
        spent=sum(row["spent"] for row in rows if row["what"] == "spent"),
    )


async def find_busy(work: Work, order: Order, person_oid: str | None, account_id: int) -> int | None:
    """Return another order of the object that is between gate and number in this list, if there is one.

    Args:
        person_oid: Whose list; None: the account's person isn't known yet.
        account_id: Whose list, for orders from before persons were known.
    """
    row = await work.find(
        _ORDER["find_busy_object"],
        person_oid=person_oid,
        account_id=account_id,
        cad_key=order.cad_key,
        order_id=order.id,
    )
    return None if row is None else int(row["id"])
