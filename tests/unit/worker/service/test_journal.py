"""What a worker tells of its order: a fact is told until it is kept, whatever the service answers that may pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
import pytest

from orders_service.v1 import worker_pb2
from tests.unit.worker.doubles import delivery, failure
from worker.errors import WorkerError
from worker.service import reporter
from worker.service.journal import OrderJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.worker.conftest import Bench

SEND: Final = "5e4d0000-0000-4000-8000-000000000001"
FACTS: Final[dict[str, Callable[[OrderJournal], object]]] = {
    "finish_answer": lambda journal: journal.record_answer(SEND, http_status=200, text="N-1", expected_number="N-1"),
    "not_sent": lambda journal: journal.record_not_sent(SEND, "closed"),
    "refusal": lambda journal: journal.record_refusal(step="search", http_status=400, text=""),
    "reading": lambda journal: journal.record_reading(SEND, worker_pb2.ListReading()),
}
#: The fact itself can't be told, however often it is.
IN_VAIN: Final = {
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "OUT_OF_RANGE",
}
CODES: Final = [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("kind", FACTS)
def test_a_fact_is_told_again_unless_it_is_the_fact_that_is_refused(bench: Bench, kind: str, code: str) -> None:
    hand_out = delivery()
    journal = OrderJournal(bench.reporter, hand_out, account="a1", epoch=1, order_id=7)
    bench.service.script[f"RecordFact:{kind}"] = [failure(code), None]
    try:
        if code in IN_VAIN:
            with pytest.raises(WorkerError):
                FACTS[kind](journal)
        else:
            FACTS[kind](journal)
    finally:
        hand_out.hold.alarm.close()

    assert len(bench.service.requests[f"RecordFact:{kind}"]) == (1 if code in IN_VAIN else 2)


def test_the_codes_that_may_pass_are_those_that_the_line_knows() -> None:
    assert {code.name for code in reporter._UNREACHABLE | reporter._DEFECTS | reporter._DENIED} == set(CODES) - IN_VAIN
