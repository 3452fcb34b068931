"""The settings while it runs: limits, sessions, time, how clients are judged."""

from __future__ import annotations

import statistics
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.worker.simulator.numbers import ROOM
from tests.integration.worker.simulator.thread import SimulatorThread
from worker.simulator.chance import Chance, spread_of
from worker.simulator.settings import Settings, knobs
from worker.simulator.windows import window_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MOSCOW = timezone(timedelta(hours=3))


@pytest.fixture(scope="module")
def shared() -> Iterator[SimulatorThread]:
    """One for all tests of this file; each test has accounts of its own."""
    thread = SimulatorThread(*(f"user_{n}" for n in range(20)), ready_after=0)
    # Moscow's midnight must not come in the middle of a test that counts the calls of a day.
    now = datetime.fromisoformat(thread.get("/time")["now"]).astimezone(MOSCOW)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    thread.post("/time", pass_s=(noon - now).total_seconds())
    yield thread
    thread.close()


@pytest.fixture
def simulator(shared: SimulatorThread) -> Iterator[SimulatorThread]:
    """The settings are put back after each test."""
    before = shared.simulator.knobs.now
    yield shared
    shared.simulator.knobs.now = before


def test_every_setting_can_be_read_and_given_back(simulator: SimulatorThread) -> None:
    settings = simulator.get("/settings")["settings"]
    fixed = {knob.name for knob in knobs() if knob.metadata["fixed"]}

    again = simulator.post("/settings", **{name: value for name, value in settings.items() if name not in fixed})

    assert again["settings"] == settings
    assert set(settings) == {knob.name for knob in knobs()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour", 1),
        ("seed", 1),
        ("mood", 1.1),
        ("mood", None),
        ("latency", "fast"),
        ("latency", "2:1"),
        ("latency", -1),
        ("latency", True),
        ("idle_limit_s", 0),
        ("daily_quota", 1.5),
        ("min_interval_s", "nan"),
        ("list_last", "perhaps"),
        ("finish_answer", "xml"),
        ("maintenance", ["25:00-26:00"]),
        ("maintenance", ["someday@02:00-03:00"]),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_and_turns_nothing(
    simulator: SimulatorThread, name: str, value: object
) -> None:
    before = simulator.get("/settings")

    answer = simulator.ask("POST", "/settings", {"list_order": "oldest", name: value})

    assert (answer.status_code, answer.json()["field"]) == (400, name)
    assert simulator.get("/settings") == before


def test_a_page_of_another_site_turns_nothing(simulator: SimulatorThread) -> None:
    for headers in ({"Origin": "http://elsewhere.test"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = simulator._http.post("/settings", json={"mood": 1}, headers=headers)
        assert answer.status_code == 403
    assert simulator.get("/settings")["settings"]["mood"] == 0


@pytest.mark.parametrize(
    ("text", "mean", "most"),
    [("0.5", 0.5, 0.5), ("0:1", 0.5, 1), ("exp:10:100", 10, 100), ("lognormal:1:0.5:9", 1.133, 9)],
)
def test_times_are_spread_as_they_are_written(text: str, mean: float, most: float) -> None:
    chance, spread = Chance(1), spread_of(text)

    drawn = [spread.at(chance.share("test", n)) for n in range(4000)]

    assert statistics.fmean(drawn) == pytest.approx(mean, rel=0.1)
    assert max(drawn) <= most


@pytest.mark.parametrize(
    ("window", "open_at", "shut_at"),
    [
        ("02:00-04:30", ["2026-11-29T02:00", "2026-11-30T04:29"], ["2026-11-29T01:59", "2026-11-29T04:30"]),
        ("23:00-01:00", ["2026-11-29T23:30", "2026-11-29T00:30"], ["2026-11-29T01:00", "2026-11-29T22:59"]),
        ("sat@22:00-06:00", ["2026-11-28T23:00", "2026-11-29T05:59"], ["2026-11-28T05:00", "2026-11-29T22:30"]),
        ("sat,sun@00:00-09:00", ["2026-11-28T08:00", "2026-11-29T08:00"], ["2026-11-30T08:00"]),
    ],
)
def test_a_window_is_open_by_moscow_time_on_its_days(window: str, open_at: list[str], shut_at: list[str]) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=MOSCOW)

    assert all(window_of(window).covers(at(text)) for text in open_at)
    assert not any(window_of(window).covers(at(text)) for text in shut_at)


def test_maintenance_can_be_told_to_begin_now_and_to_end(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_0")
    simulator.post("/settings", maintenance=["00:00-23:59", "23:59-00:00"])
    assert user.page().status_code == 503

    simulator.post("/settings", maintenance=[])
    assert user.page().status_code == 200


@pytest.mark.parametrize(
    ("look", "expected"),
    [("401", 401), ("403", 403), ("redirect", 302), ("html", 200), ("logged-out", 401)],
)
def test_a_session_that_is_over_shows_in_every_way(simulator: SimulatorThread, look: str, expected: int) -> None:
    user = simulator.bound("user_1")
    simulator.post("/settings", expired_answer=look)
    simulator.post("/logout", account="user_1")

    answer = user.search(ROOM)

    assert answer.status_code == expected
    if look == "html":
        assert answer.text.startswith("<!DOCTYPE html>")
    if look == "logged-out":
        assert user.roles() == {"logged": False, "roles": []}
        assert "link" in user.page().json()


def test_a_session_can_end_after_some_calls(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_2")  # Two calls.
    simulator.post("/settings", session_calls=4)

    assert [user.page().status_code for _ in range(4)] == [200, 200, 401, 401]


def test_a_session_can_end_when_nobody_used_it(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_3")
    simulator.post("/settings", session_idle_s=600)

    simulator.post("/time", pass_s=300)
    assert user.page().status_code == 200
    simulator.post("/time", pass_s=600)
    assert user.page().status_code == 401


def test_a_second_login_can_end_the_first(simulator: SimulatorThread) -> None:
    simulator.post("/settings", single_session=True)
    first = simulator.bound("user_4")
    second = simulator.bound("user_4")

    assert (first.page().status_code, second.page().status_code) == (401, 200)


def test_the_day_ends_when_time_passes(simulator: SimulatorThread) -> None:
    simulator.post("/settings", daily_quota=4, session_ttl_s=1e6)
    user = simulator.bound("user_5")  # Two of the four.
    assert [user.page().status_code for _ in range(4)][-1] == 429

    simulator.post("/time", pass_s=86_400)

    assert user.page().status_code == 200


def test_a_refused_call_can_count_as_one(simulator: SimulatorThread) -> None:
    simulator.post("/settings", session_ttl_s=1e6)
    user = simulator.bound("user_6")
    simulator.post("/settings", min_interval_s=3600)
    assert user.page().status_code == 429
    simulator.post("/time", pass_s=3000)
    simulator.post("/settings", limit_refused=True)
    assert user.page().status_code == 429
    simulator.post("/time", pass_s=3000)
    assert user.page().status_code == 429, "the refused one began the interval anew"


def test_limits_can_hold_for_everybody_together(simulator: SimulatorThread) -> None:
    first, second = simulator.bound("user_7"), simulator.bound("user_8")
    simulator.post("/settings", min_interval_s=3600, limit_scope="everybody")

    assert [first.page().status_code, second.page().status_code] == [200, 429]


def test_a_point_can_be_taken_only_when_the_extract_is_ready(simulator: SimulatorThread) -> None:
    simulator.post("/settings", charge_at="ready", ready_after=3600, session_ttl_s=1e6)
    user = simulator.bound("user_9")
    user.order(ROOM)
    assert (user.balance(), len(simulator.charges("user_9"))) == (100, 1)

    simulator.post("/time", pass_s=3600)

    assert user.balance() == 99


def test_the_log_has_the_gap_before_each_call_and_its_object(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_10")
    user.page()
    user.search(ROOM)

    [page] = simulator.requests("user_10", "applications")
    [search] = simulator.requests("user_10", "search")
    assert search["gap_s"] == pytest.approx(search["started_monotonic_s"] - page["started_monotonic_s"])
    assert (search["cad_num"], page["cad_num"]) == ("77:1:1001:1001", None)


def judged(simulator: SimulatorThread, name: str, **against: float) -> dict[str, Any]:
    """What is said of one account."""
    answer = simulator.get("/conduct", **against)
    [found] = [entry for entry in answer["accounts"] if entry["account"] == name]
    result: dict[str, Any] = found
    return result


def test_conduct_says_whether_an_interval_was_broken(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_11")
    user.page()

    assert judged(simulator, "user_11", interval_s=0)["is_polite"] is True
    rude = judged(simulator, "user_11", interval_s=3600)
    assert (rude["is_polite"], rude["short_gaps"], rude["calls"]) == (False, 2, 3)
    assert len(rude["shortest"]) == 2
    assert judged(simulator, "user_11", daily=2)["is_polite"] is False
    assert judged(simulator, "user_11", daily=3)["is_polite"] is True


def test_conduct_says_whether_a_retry_after_was_kept(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_12")
    simulator.fault("applications", "rate_limit", retry_after_s=600, account="user_12")
    user.page()
    assert judged(simulator, "user_12")["came_early"] == 0

    user.page()

    early = judged(simulator, "user_12")
    assert (early["is_polite"], early["came_early"]) == (False, 1)
    told = simulator.requests("user_12", "applications")[0]["number"]
    assert early["earliest"][0]["told_by"] == told


def test_calls_over_a_dead_session_and_during_maintenance_count_all_the_same(simulator: SimulatorThread) -> None:
    user = simulator.bound("user_13")
    simulator.post("/logout", account="user_13")
    assert user.page().status_code == 401
    simulator.post("/settings", maintenance=["00:00-23:59", "23:59-00:00"])
    assert user.page().status_code == 503

    assert judged(simulator, "user_13")["calls"] == 4
    assert [call["status"] for call in simulator.requests("user_13", "applications")] == [401]


def test_settings_have_a_sentence_each() -> None:
    assert all(knob.metadata["help"] for knob in knobs())
    assert Settings().mood == 0
