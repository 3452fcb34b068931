"""What commands print for machines."""

from __future__ import annotations

import datetime as dt

from orders_service.commands.output import as_json
from orders_service.v1 import orders_pb2


def test_numbers_stay_numbers_states_are_names_and_what_is_unset_is_null() -> None:
    order = orders_pb2.Order(
        order_id=2**40,
        state=orders_pb2.ORDER_STATE_QUEUED,
        papers=[orders_pb2.OrderPaper(kind=orders_pb2.PAPER_KIND_EXTRACT, size_bytes=1)],
    )
    order.created_at.FromDatetime(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC))

    answer = as_json(order)

    assert (answer["order_id"], answer["state"], answer["is_urgent"]) == (2**40, "queued", False)
    assert (answer["created_at"], answer["finished_at"]) == ("2026-01-02T03:04:05+00:00", None)
    assert (answer["papers"][0]["kind"], answer["papers"][0]["size_bytes"]) == ("extract", 1)
    assert as_json(orders_pb2.OrderEvent())["from_state"] is None


def test_durations_are_seconds() -> None:
    times = orders_pb2.ExtractTimes(extracts=1)
    times.median.FromTimedelta(dt.timedelta(days=1, milliseconds=250))

    assert as_json(times) == {"extracts": 1, "median": 86_400.25, "p90": None, "longest": None}
