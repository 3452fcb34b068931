"""Telling answers apart before anybody reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.portal.wire.answers import Answer, Verdict, diagnose, read_retry_after

NOW = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)


def answer(status: int = 200, body: str = "{}", content_type: str = "application/json", location: str = "") -> Answer:
    return Answer(
        step="x",
        status=status,
        content_type=content_type,
        content=body.encode(),
        origin="https://lk.rosreestr.ru",
        location=location,
    )


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (answer(), Verdict.FINE),
        (answer(body="[]", content_type="application/problem+json; charset=utf-8"), Verdict.FINE),
        (answer(location="/login", status=302), Verdict.EXPIRED),
        (answer(location="/login/", status=302), Verdict.EXPIRED),
        (answer(location="https://lk.rosreestr.ru/account-back/auth/login", status=303), Verdict.EXPIRED),
        (answer(location="https://esia.gosuslugi.ru/x", status=302), Verdict.EXPIRED),
        (answer(location="/elsewhere", status=302), Verdict.UNREADABLE),
        (answer(status=403), Verdict.FORBIDDEN),
        (answer(status=403, body="", content_type=""), Verdict.FORBIDDEN),
        (answer(status=403, body="<html>Forbidden", content_type="text/html"), Verdict.BLOCKED),
        (answer(status=403, body="Forbidden. Request ID: 1", content_type="text/plain"), Verdict.BLOCKED),
        (answer(status=404, body="<html>", content_type="text/html"), Verdict.UNREADABLE),
        (answer(status=404), Verdict.REFUSED),
        (answer(status=408), Verdict.SERVER_ERROR),
        (answer(body="\ufeff <!DOCTYPE html><html>", content_type="application/json"), Verdict.PAGE),
        # The phrase counts also where JSON hides it behind escapes.
        (answer(body='{"m": "\\u0412\\u0440\\u0435\\u043c\\u044f сессии истекло"}'), Verdict.EXPIRED),
        (answer(status=101), Verdict.UNREADABLE),
    ],
)
def test_an_answer_is_told_by_status_type_and_known_phrases(given: Answer, verdict: Verdict) -> None:
    assert diagnose(given) is verdict


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Thu, 15 Jan 2026 12:01:00 GMT", 60.0),
        ("Thu, 15 Jan 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("", None),
        ("9" * 50, None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, now=NOW) == seconds
