"""Calls a day are counted by the orders service, or, where it can't yet, by the worker itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.worker.doubles import failure, unavailable
from worker.account.calls import CountedByService
from worker.service import reporter
from worker.service.errors import ServiceUnreachable

if TYPE_CHECKING:
    from tests.unit.worker.conftest import Bench


def sleep(_seconds: float) -> None:
    return


def ledger_of(bench: Bench, limit: int = 25) -> CountedByService:
    return CountedByService(bench.reporter, "a1", lambda: 1, limit)


def test_a_restarted_worker_goes_on_counting(bench: Bench) -> None:
    granted = [ledger_of(bench).reserve(10, sleep)[0] for _ in range(4)]

    assert granted == [10, 10, 5, 0]
    assert ledger_of(bench).reserve(10, sleep)[1] == 12 * 3600


def test_a_service_that_is_older_leaves_the_worker_counting_for_itself(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.service.always["ReserveCalls"] = failure("UNIMPLEMENTED")
    ledger = ledger_of(bench)

    granted = [ledger.reserve(10, sleep)[0] for _ in range(4)]

    assert granted == [10, 10, 5, 0]
    assert [record.levelname for record in caplog.records if "older than this worker" in record.message] == ["WARNING"]


def test_a_service_that_was_updated_hears_what_was_called_before(bench: Bench) -> None:
    bench.service.always["ReserveCalls"] = failure("UNIMPLEMENTED")
    ledger = ledger_of(bench)
    ledger.reserve(10, sleep)
    bench.service.always.clear()

    granted = [ledger.reserve(10, sleep)[0] for _ in range(3)]

    assert granted == [10, 5, 0]
    assert bench.service.calls_reserved == 25


def test_while_the_service_is_away_nothing_is_granted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "SHORT_PATIENCE_S", 0.0)
    bench.service.always["ReserveCalls"] = unavailable()

    with pytest.raises(ServiceUnreachable):
        ledger_of(bench).reserve(10, sleep)
