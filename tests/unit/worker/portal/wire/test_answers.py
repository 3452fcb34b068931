"""Telling answers apart before anybody reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.portal.errors import RequestRefused
from worker.portal.wire.answers import (
    Answer,
    Verdict,
    diagnose,
    parse_json,
    raise_for_verdict,
    read_retry_after,
)

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
        # A day at most, however it is said.
        ("86401", 86_400.0),
        ("9999999999", 86_400.0),
        ("9" * 50, 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Mon, 99 Foo 2026", None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [("Wed, 14 Jan 2026 12:00:00 GMT", 60.0), ("no date", 86_400.0), (None, 86_400.0)],
)
def test_a_date_is_counted_from_the_portals_own_clock(date: str | None, seconds: float) -> None:
    """Ours goes a day behind."""
    behind = datetime(2026, 1, 13, 11, 59, 0, tzinfo=UTC)

    assert read_retry_after("Wed, 14 Jan 2026 12:01:00 GMT", now=behind, date=date) == seconds


def refused(step: str, body: str) -> Answer:
    return Answer(
        step=step,
        status=400,
        content_type="application/json",
        content=body.encode(),
        origin="https://lk.rosreestr.ru",
    )


@pytest.mark.parametrize(
    ("body", "is_of_object"),
    [
        ('{"field": "objects.0.cadastralNumber"}', True),
        ('{"errors": [{"field": "objects[0].objectTypeCode"}, {"field": "objects"}]}', True),
        ('{"errors": {"objects.0.physicalProperties": "x"}}', True),
        ('{"errors": [{"field": "objects.0.cadastralNumber"}, {"field": "attachments.0.issuer"}]}', False),
        ('{"field": "attachments.0.issuer"}', False),
        ('{"field": "objectsAndMore"}', False),
        ('{"field": null}', False),
        ('{"message": "objects.0"}', False),
        ("{}", False),
        ("[]", False),
        ("{", False),
        ("[" * 5000, False),
    ],
)
def test_a_refused_upload_is_the_objects_where_it_names_nothing_else(body: str, is_of_object: bool) -> None:
    given = refused("upload", body)

    with pytest.raises(RequestRefused) as caught:
        raise_for_verdict(given, diagnose(given))

    assert caught.value.is_of_object is is_of_object


@pytest.mark.parametrize("step", ["search", "card"])
@pytest.mark.parametrize(
    ("body", "is_of_object"),
    [
        ('{"field": "cadNumbers"}', True),
        ('{"errors": [{"field": "cadNumbers[0]"}]}', True),
        ('{"field": "filterType"}', False),
        # A gateway's, or the day on which the portal's form changed.
        ('{"error": "Bad Request"}', False),
        ("Bad Request", False),
    ],
)
def test_a_refused_search_is_the_objects_where_it_names_the_number(step: str, body: str, is_of_object: bool) -> None:
    given = refused(step, body)

    with pytest.raises(RequestRefused) as caught:
        raise_for_verdict(given, diagnose(given))

    assert caught.value.is_of_object is is_of_object


@pytest.mark.parametrize("charset", ["idna", "punycode", "undefined", "base64", "unicode_escape", "no-such"])
def test_no_label_of_an_encoding_is_more_than_a_label(charset: str) -> None:
    given = answer(body="\\x41 б", content_type=f"text/plain; charset={charset}")

    assert given.text == "\\x41 б"


@pytest.mark.parametrize("charset", ["windows-1251", "koi8-r", "cp866", "utf-16", "utf-8"])
def test_json_in_another_encoding_is_read_by_its_label(charset: str) -> None:
    given = Answer(
        step="list",
        status=200,
        content_type=f"application/json; charset={charset}",
        content='{"requestStatus": "Выполнено"}'.encode(charset),
        origin="https://lk.rosreestr.ru",
    )

    assert parse_json(given) == {"requestStatus": "Выполнено"}
    assert "Выполнено" in given.message


def test_a_label_that_lies_about_utf_8_is_not_believed() -> None:
    given = answer(body='{"a": "Выполнено"}', content_type="application/json; charset=windows-1251")

    assert parse_json(given) == {"a": "Выполнено"}


@pytest.mark.parametrize("escaped", ['"a\\ud800b"', '"a\\u0000b"', '{"a\\udfff": ["\\ud800"]}'])
def test_what_no_text_can_hold_is_replaced(escaped: str) -> None:
    value = parse_json(answer(body=escaped))

    assert "\ufffd" in str(value)
    str(value).encode()


def test_a_pair_of_surrogates_is_one_letter() -> None:
    assert parse_json(answer(body='"\\ud83d\\ude00"')) == "😀"
