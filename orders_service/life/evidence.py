"""What a person is shown before deciding about an order: every row and answer of the portal, weighed or not."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from orders_service import cadastral
from orders_service.domain import facts
from orders_service.domain.decisions import Evidence, SeenRow
from orders_service.life import other_orders
from orders_service.store import queries

if TYPE_CHECKING:
    import datetime as dt

    from orders_service.domain.orders import Order
    from orders_service.life.work import Work

_DECISION: Final = queries.load("life_decision")


async def gather(work: Work, order: Order) -> Evidence:
    """Return what is known of a locked order, whoever saw it and when."""
    send = order.current_send
    if send is None:
        return Evidence()
    answers = {send.expected_number} if send.expected_number else set()
    unread: list[int] = []
    readings: list[tuple[dt.datetime, facts.ListReading]] = []
    for row in await work.list(_DECISION["list_shown"], order_id=order.id):
        try:
            told = facts.from_content(row["kind"], row["content"], row["version"])
        except ValueError:
            if not row["is_weighed"]:
                unread.append(row["id"])
            continue
        if isinstance(told, facts.ListReading):
            readings.append((row["recorded_at"], told))
        elif isinstance(told, facts.FinishAnswer) and not row["is_weighed"] and told.expected_number:
            answers.add(told.expected_number)
    all_rows = _collect(readings)
    named = {row["id"] for row in await work.list(_DECISION["list_ids_named"], order_id=order.id)}
    others = await other_orders.look(
        work,
        order,
        send,
        numbers=[row.order_number for row in all_rows if row.order_number],
        application_ids=[row.application_id for row in all_rows],
    )
    elsewhere = others.elsewhere
    # Of all its accounts: what one of them knew isn't another's.
    known = {row["id"] for row in await work.list(_DECISION["list_known_rows"], order_id=order.id)}
    with_balance = [told for _, told in readings if told.balance is not None]
    last = max(with_balance, key=lambda told: told.begun_at, default=None)
    return Evidence(
        rows=tuple(
            row
            for row in all_rows
            if cadastral.find_key(row.cad_num) == order.cad_key
            and row.application_id not in known | elsewhere.application_ids
            and row.order_number not in elsewhere.numbers
        ),
        all_rows=all_rows,
        known_before=frozenset(known - named),
        answers=tuple(sorted(answers)),
        unread=tuple(unread),
        balance=last.balance if last is not None else None,
        balance_at=last.begun_at if last is not None else None,
    )


def _collect(readings: list[tuple[dt.datetime, facts.ListReading]]) -> tuple[SeenRow, ...]:
    """Return every row that was shown, each once: the same application under two numbers stays two."""
    found: dict[tuple[int, str, str | None], SeenRow] = {}
    for seen_at, told in readings:
        for row in told.rows:
            key = (row.application_id, row.order_number, cadastral.find_key(row.cad_num))
            before = found.get(key)
            seen = SeenRow(
                application_id=row.application_id,
                order_number=row.order_number,
                cad_num=row.cad_num,
                request_status=row.request_status,
                first_seen_at=seen_at,
                last_seen_at=seen_at,
            )
            if before is not None:
                seen = dataclasses.replace(seen, first_seen_at=before.first_seen_at)
            found[key] = seen
    return tuple(found.values())
