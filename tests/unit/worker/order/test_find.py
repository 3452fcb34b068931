"""Finding the ordered object: what isn't exactly it is never ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orders_service.v1 import orders_pb2
from rosq import Fail, Snooze
from tests.unit.worker.doubles import CAD_NUM, delivery
from worker.errors import ObjectDoubtful
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


OTHER = FoundObject(cad_num="77:01:0001001:9", object_type="x")
DOUBTFUL = pytest.mark.parametrize(
    ("objects", "card"),
    [
        ((OTHER,), None),
        ((FoundObject(cad_num=CAD_NUM, object_type="x"), OTHER), None),
        (None, Card(cad_num=OTHER.cad_num, object_type="x", status="1", cancelled="")),
    ],
    ids=["another object", "several objects", "another object's card"],
)


def show(bench: Bench, objects: tuple[FoundObject, ...] | None, card: Card | None) -> None:
    bench.portal.objects = objects or bench.portal.objects
    bench.portal.card = card or bench.portal.card


@DOUBTFUL
def test_an_answer_about_another_object_is_asked_for_again_before_it_ends_an_order(
    bench: Bench, objects: tuple[FoundObject, ...] | None, card: Card | None
) -> None:
    show(bench, objects, card)

    with pytest.raises(ObjectDoubtful):
        bench.run()

    assert bench.service.order.state == orders_pb2.ORDER_STATE_QUEUED
    assert "RecordIntent" not in bench.log


@DOUBTFUL
def test_the_last_of_such_answers_ends_it_before_anything_is_paid(
    bench: Bench, objects: tuple[FoundObject, ...] | None, card: Card | None
) -> None:
    show(bench, objects, card)

    signal = bench.run(delivery(is_last=True))

    assert isinstance(signal, Fail)
    assert bench.service.order.state == orders_pb2.ORDER_STATE_FAILED
    assert "RecordIntent" not in bench.log


def test_a_search_that_shows_another_object_to_one_order_after_the_other_is_itself_in_doubt(bench: Bench) -> None:
    processor = bench.processor()
    bench.run(processor=processor)
    bench.portal.objects = (OTHER,)
    for order_id in (8, 9):
        bench.service.begin_anew(order_id)
        with pytest.raises(ObjectDoubtful):
            bench.run(delivery(order_id=order_id), processor=processor)
    bench.service.begin_anew(10)

    bench.run(delivery(order_id=10, is_last=True), processor=processor)

    assert bench.service.order.state == orders_pb2.ORDER_STATE_QUEUED
    assert "degraded" in bench.service.requests["MarkAccount"][0].reason


@pytest.mark.parametrize(
    "card",
    [
        Card(cad_num=CAD_NUM, object_type="x", status="0", cancelled=""),
        Card(cad_num=CAD_NUM, object_type="x", status="1", cancelled="1700000000000"),
    ],
    ids=["by status", "by date"],
)
def test_an_annulled_object_ends_the_order_before_anything_is_paid(bench: Bench, card: Card) -> None:
    bench.portal.card = card

    signal = bench.run()

    assert signal is None
    assert bench.service.order.state == orders_pb2.ORDER_STATE_FAILED
    assert "RecordIntent" not in bench.log
