"""The gate and the paid call: nothing is sent without the gate's answer, and nothing twice."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING

import pytest

from orders_service.v1 import orders_pb2
from rosq import Fail, LeaseLost, Release, Snooze
from rosq.execution.stop import StopClock
from tests.unit.worker.doubles import NUMBER, delivery, refusal, unavailable
from worker.order.points import Point
from worker.portal.finish import Lost, NotSent

if TYPE_CHECKING:
    from tests.unit.worker.conftest import Bench


@pytest.mark.parametrize(
    ("reason", "signal_type"),
    [
        ("STALE_FENCE", Snooze),
        ("STALE_EPOCH", Release),
        ("WRONG_STATE", Snooze),
        ("SEND_OPEN", Snooze),
        ("OBJECT_BUSY", Snooze),
        ("ORDER_ON_HOLD", Fail),
        ("RESEND_NEEDS_PERSON", Snooze),
        ("ABSENT_AFTER_TOO_SHORT", Release),
    ],
)
def test_nothing_is_sent_when_the_gate_refuses(bench: Bench, reason: str, signal_type: type[Exception]) -> None:
    bench.service.script["PassGate"] = [refusal(reason)]

    signal = bench.run()

    assert isinstance(signal, signal_type)
    assert bench.portal.sent == []
    [call] = bench.portal.calls
    assert call.is_closed


def test_a_lost_answer_of_the_gate_is_asked_again_with_the_same_send_id(bench: Bench) -> None:
    bench.service.script["PassGate"] = [unavailable(), unavailable(), None]

    bench.run()

    asked = {request.send_id for request in bench.service.requests["PassGate"]}
    assert len(bench.service.requests["PassGate"]) == 3
    assert len(asked) == 1
    assert uuid.UUID(asked.pop()).version == 4
    assert len(bench.portal.sent) == 1


def test_a_gate_that_stays_unanswered_closes_the_connection_and_says_that_nothing_was_sent(
    bench: Bench,
) -> None:
    bench.settings = dataclasses.replace(bench.settings, gate_patience_s=0.3)
    bench.service.script["PassGate"] = [unavailable()] * 50

    signal = bench.run()

    assert isinstance(signal, Snooze)
    assert bench.portal.sent == []
    [told] = bench.service.requests["RecordFact:not_sent"]
    assert told.send_id == bench.service.requests["PassGate"][0].send_id
    # First the connection is gone, then the journal is told.
    assert bench.log.index("portal.close") < bench.log.index("RecordFact:not_sent")


def test_a_stop_at_the_gate_sends_nothing(bench: Bench) -> None:
    stop = StopClock(0.0, 5.0)
    bench.service.script["PassGate"] = [unavailable()] * 50
    bench.at_point[Point.BEFORE_GATE] = stop.request

    signal = bench.run(delivery(stop=stop))

    assert isinstance(signal, Release)
    assert bench.portal.sent == []


def test_a_call_that_was_not_sent_leads_back_to_the_gate_soon(bench: Bench) -> None:
    bench.portal.result = NotSent(reason="the connection was closed")
    bench.portal.row_after_finish = False

    signal = bench.run()

    assert isinstance(signal, Snooze)
    assert signal.lane == "@a1"
    assert "RecordFact:not_sent" in bench.log
    assert "RecordFact:finish_answer" not in bench.log
    assert "after_finish" not in bench.log
    assert bench.service.order.state == orders_pb2.ORDER_STATE_PROCESSING


def test_a_lost_answer_of_the_portal_is_kept_as_a_fact_and_settled_from_the_list(bench: Bench) -> None:
    bench.portal.result = Lost(reason="the connection broke")

    signal = bench.run()

    assert isinstance(signal, Snooze)
    [fact] = bench.service.requests["RecordFact:finish_answer"]
    assert (fact.finish_answer.http_status, fact.finish_answer.expected_number) == (0, "")
    assert bench.service.order.state == orders_pb2.ORDER_STATE_REGISTERED
    assert len(bench.portal.sent) == 1


def test_what_the_portal_answered_is_told_although_the_lease_is_lost(bench: Bench) -> None:
    hand_out = delivery()
    bench.portal.on_finish = lambda: hand_out.lease.lose("taken over")
    bench.service.script["RecordFact:finish_answer"] = [unavailable(), None]

    with pytest.raises(LeaseLost):
        bench.run(hand_out)

    facts = bench.service.requests["RecordFact:finish_answer"]
    assert len(facts) == 2
    assert facts[-1].finish_answer.expected_number == NUMBER
    # The rest is the next holder's.
    assert "portal.list_filtered" not in bench.log
    assert "ReleaseOrder" not in bench.log
