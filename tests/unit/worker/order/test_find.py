"""Finding the ordered object: what isn't exactly it is never ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service.v1 import orders_pb2
from rosq import Snooze
from tests.unit.worker.doubles import CAD_NUM
from worker.portal.pages.search import Card, FoundObject

if TYPE_CHECKING:
    from tests.unit.worker.conftest import Bench


def test_an_unknown_object_is_asked_for_again_later(bench: Bench) -> None:
    bench.portal.objects = ()

    signal = bench.run()

    assert isinstance(signal, Snooze)
    assert signal.lane == "main"
    assert signal.delay_s == pytest.approx(600, abs=1)
    assert "ReleaseOrder" not in bench.log


@pytest.mark.parametrize(
    ("objects", "card"),
    [
        ((FoundObject(cad_num="77:01:0001001:9", object_type="x"),), None),
        (
            (
                FoundObject(cad_num=CAD_NUM, object_type="x"),
                FoundObject(cad_num="77:01:0001001:9", object_type="x"),
            ),
            None,
        ),
        (None, Card(cad_num=CAD_NUM, object_type="x", status="0", cancelled="")),
        (None, Card(cad_num=CAD_NUM, object_type="x", status="1", cancelled="1700000000000")),
    ],
    ids=["another object", "several objects", "annulled by status", "annulled by date"],
)
def test_what_a_person_should_decide_ends_the_order_before_anything_is_paid(
    bench: Bench, objects: tuple[FoundObject, ...] | None, card: Card | None
) -> None:
    bench.portal.objects = objects or bench.portal.objects
    bench.portal.card = card or bench.portal.card

    signal = bench.run()

    assert signal is None
    assert bench.service.order.state == orders_pb2.ORDER_STATE_FAILED
    assert "RecordIntent" not in bench.log
