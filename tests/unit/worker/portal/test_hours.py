"""Hours of Moscow in which the portal is left alone."""

from __future__ import annotations

import datetime as dt

import pytest

from worker.portal.errors import PortalSettingsInvalid, RateLimited
from worker.portal.hours import Hours, read_windows

MOSCOW = dt.timezone(dt.timedelta(hours=3))
HOUR_S = 3600.0


def closed_s(text: str, day: int, clock: str) -> float:
    """Of a day of January 2026, which begins on a Thursday; 0: it is open."""
    moment = dt.datetime.combine(dt.date(2026, 1, day), dt.time.fromisoformat(clock), MOSCOW).timestamp()
    try:
        Hours(read_windows(text, "ROSREESTR_QUIET_HOURS"), clock=lambda: moment).check()
    except RateLimited as exc:
        assert "по московскому времени (ROSREESTR_QUIET_HOURS)" in str(exc)
        assert exc.retry_after_s is not None
        return exc.retry_after_s
    return 0.0


@pytest.mark.parametrize(
    ("text", "day", "clock", "hours"),
    [
        ("", 15, "03:00", 0),
        ("02:00-04:30", 15, "01:59:59", 0),
        ("02:00-04:30", 15, "02:00", 2.5),
        ("02:00-04:30", 15, "04:30", 0),
        ("23:00-06:00", 15, "22:59:59", 0),
        ("23:00-06:00", 15, "23:30", 6.5),
        ("23:00-06:00", 15, "05:00", 1),
        ("22:00-00:00", 15, "23:00", 1),
        ("22:00-00:00", 15, "00:00", 0),
        ("sat,sun@00:00-09:00", 16, "03:00", 0),  # a Friday
        ("sat,sun@00:00-09:00", 17, "03:00", 6),
        ("Sun@22:00-05:00", 18, "23:00", 6),
        ("Sun@22:00-05:00", 19, "04:00", 1),
        ("Sun@22:00-05:00", 19, "22:30", 0),
        ("23:00-01:00; 01:00-03:00", 15, "23:00", 4),
    ],
)
def test_the_portal_is_left_alone_in_a_window_until_its_end(text: str, day: int, clock: str, hours: float) -> None:
    left_s = closed_s(text, day, clock)

    if not hours:
        assert left_s == 0
    else:
        assert hours * HOUR_S < left_s <= hours * HOUR_S + 30


@pytest.mark.parametrize(
    "text", ["night", "1-2", "25:00-26:00", "02:00", "fun@02:00-03:00", "@02:00-03:00", "02:00-02:00"]
)
def test_what_is_no_window_is_refused_by_the_settings_name(text: str) -> None:
    with pytest.raises(PortalSettingsInvalid, match="ROSREESTR_QUIET_HOURS"):
        read_windows(text, "ROSREESTR_QUIET_HOURS")


def test_a_week_without_an_hour_left_is_refused() -> None:
    with pytest.raises(PortalSettingsInvalid, match="all that a week has"):
        Hours(read_windows("00:00-12:00; 12:00-00:00", "ROSREESTR_QUIET_HOURS"))
