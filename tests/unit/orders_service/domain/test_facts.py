"""A fact that was kept reads back as it was told."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from orders_service.domain import facts

ROW = facts.ApplicationRow(
    application_id=901, order_number="N-1", cad_num="77:1:1:1", status_code="processed", request_status="Выполнено"
)


@pytest.mark.parametrize(
    "fact",
    [
        facts.FinishAnswer(http_status=200, text='"N-1"', expected_number="N-1"),
        facts.NotSent(reason="the lease was lost"),
        facts.PortalRefusal(step="upload", http_status=400, text="нет поля"),
        facts.ListReading(
            begun_at=dt.datetime(2026, 1, 15, 12, 0, 0, 123456, tzinfo=dt.UTC),
            person_oid="1",
            is_unfiltered=True,
            is_complete=False,
            balance=None,
            rows=(ROW,),
            rows_in_all=7,
        ),
    ],
)
def test_a_fact_survives_being_kept(fact: facts.Fact) -> None:
    kept = json.loads(json.dumps(fact.content()))

    assert facts.from_content(fact.kind, kept) == fact


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no facts of kind 'rumour'"):
        facts.from_content("rumour", {})


def test_a_reading_without_a_time_zone_is_refused() -> None:
    """Compared with the database's clock it would fail wherever it is looked at."""
    kept = {
        "begun_at": "2026-01-15T12:00:00",
        "person_oid": "1",
        "is_unfiltered": True,
        "is_complete": True,
        "balance": None,
        "rows": [],
        "rows_in_all": 0,
    }

    with pytest.raises(ValueError, match="no zone"):
        facts.from_content("reading", kept)
