"""What is shown of cancelled jobs, of requests to cancel, and of what handlers report and log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rosq import NewJob, Queue
from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq import Delivery
    from tests.integration.rosq.conftest import Hands
    from tests.servers import RedisServer

SECRET = "Ivanova"


@pytest.fixture
def rosq_command(redis_server: RedisServer, queue: Queue) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        env = {**redis_server.env(), "ROSQ_QUEUE": queue.name, "COLUMNS": "140"}
        return CliRunner().invoke(main, list(arguments), env=env)

    return run


@pytest.fixture
def look(rosq_command: Callable[..., Result]) -> Callable[..., Any]:
    def look(*arguments: str) -> Any:
        result = rosq_command("inspect", *arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return look


def take(hands: Hands) -> Delivery:
    delivery = hands.fetch().delivery
    assert delivery is not None
    return delivery


def test_cancelled_jobs_are_counted_and_listed_wherever_finished_ones_are(
    queue: Queue, look: Callable[..., Any], rosq_command: Callable[..., Result]
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    queue.cancel("1", by="ann", reason="ordered twice")

    overview, throughput = look(), look("throughput")
    jobs = look("jobs", "--state", "cancelled")
    doctor = rosq_command("doctor", "--json")

    assert (overview["cancelled"], overview["cancelled_total"], overview["waiting"]) == (1, 1, 1)
    assert [(job["job_id"], job["state"]) for job in jobs["jobs"]] == [("1", "cancelled")]
    assert [job["job_id"] for job in look("jobs")["jobs"]] == ["2", "1"]
    assert (throughput["steps"][0]["cancelled"], throughput["cancelled_total"]) == (1, 1)
    assert json.loads(doctor.stdout)["is_inconsistent"] is False
    for view in ((), ("throughput",), ("jobs",)):
        assert "cancelled" in rosq_command("inspect", *view).stdout


def test_the_doctor_finds_a_cancelled_job_that_no_set_lists_and_a_member_without_its_job(
    queue: Queue, client: Any, rosq_command: Callable[..., Result]
) -> None:
    queue.enqueue({}, job_id="1")
    queue.cancel("1", by="ann", reason="ordered twice")
    client.zrem(queue.keys.cancelled, "1")
    client.zadd(queue.keys.cancelled, {"stray": 1})

    told = rosq_command("doctor").stdout
    mended = rosq_command("repair", "--why", "a test")

    assert "Jobs are finished, but on no list of finished jobs" in told
    assert "Jobs are listed as finished, but aren't there" in told
    assert mended.exit_code == 0, mended.output
    assert client.zrange(queue.keys.cancelled, 0, -1) == ["1"]
    assert rosq_command("doctor").stdout.count("list of finished jobs") == 0


def test_explain_says_who_cancelled_a_job_and_how_it_starts_again(
    queue: Queue, look: Callable[..., Any], rosq_command: Callable[..., Result]
) -> None:
    queue.enqueue({}, job_id="1")
    queue.cancel("1", by="ann", reason="ordered twice")

    told = look("explain", "1")

    assert "was cancelled at" in told["verdict"]
    assert "ann asked for its cancelling" in told["reasons"][0]
    assert "(ordered twice)" in told["reasons"][0]
    assert "rosq retry 1" in told["next"]
    assert told["will_run"] is False


def test_a_running_job_shows_that_its_cancelling_is_asked_for(
    queue: Queue, look: Callable[..., Any], rosq_command: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    take(make_hands())
    queue.cancel("1", by="ann", reason="ordered twice")

    told, job = look("explain", "1"), look("job", "1")

    assert told["is_running"] is True
    assert any("ann asked for its cancelling" in reason for reason in told["reasons"])
    assert "next heartbeat" in told["next"]
    assert (job["cancel_by"], job["cancel_reason"]) == ("ann", "ordered twice")
    assert job["cancel_asked_at"] is not None
    assert "asked for by ann" in rosq_command("inspect", "job", "1").stdout


def test_a_hand_out_that_ended_by_cancelling_says_so(
    queue: Queue, look: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    delivery = take(hands)
    hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.CANCEL, error="broken off"), ())

    (shown,) = look("job", "1")["deliveries"]

    assert (shown["outcome"], shown["error"]) == ("cancelled", "broken off")


def test_a_dead_holder_of_a_job_that_was_asked_for_is_told_apart(
    queue: Queue, client: Any, look: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    take(make_hands("w1"))
    queue.cancel("1", by="ann", reason="ordered twice")
    client.delete(queue.keys.worker("w1"))

    told = look("explain", "1")

    assert any("then it isn't given back, but cancelled" in reason for reason in told["reasons"])


@pytest.mark.parametrize("progress", [0.4, 3])
def test_a_number_as_progress_is_shown_to_everyone(
    queue: Queue, look: Callable[..., Any], make_hands: Callable[..., Hands], progress: float
) -> None:
    queue.enqueue({}, job_id="1")
    take(make_hands()).report_progress(progress)

    job = look("job", "1")

    assert (job["progress"], job["is_progress_hidden"]) == (progress, False)
    assert any(f"ago: {progress}." in reason for reason in look("explain", "1")["reasons"])


def test_what_may_be_personal_is_shown_only_where_it_was_asked_for(
    queue: Queue, look: Callable[..., Any], rosq_command: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    delivery = take(make_hands())
    delivery.report_progress({"person": SECRET})
    delivery.log("\n".join(f"{SECRET} {number}" for number in range(30)))

    for view in (
        ["job", "1"],
        ["job", "1", "--json"],
        ["explain", "1"],
        ["explain", "1", "--json"],
        ["events"],
        ["jobs"],
    ):
        assert SECRET not in rosq_command("inspect", *view).stdout, view
    hidden = look("job", "1")
    assert (hidden["progress"], hidden["is_progress_hidden"], hidden["log"], hidden["log_lines"]) == (
        None,
        True,
        None,
        30,
    )
    assert "30 lines; --show-data" in rosq_command("inspect", "job", "1").stdout
    assert "--show-data" in rosq_command("inspect", "explain", "1").stdout

    shown = look("job", "1", "--show-data")
    assert shown["progress"] == {"person": SECRET}
    assert [line["text"] for line in shown["log"]] == [f"{SECRET} {number}" for number in range(10, 30)]
    assert len(look("job", "1", "--show-data", "--log-lines", "100")["log"]) == 30
    assert look("job", "1", "--show-data", "--log-lines", "0")["log"] == []
    screen = rosq_command("inspect", "job", "1", "--show-data").stdout
    assert f"{SECRET} 29" in screen
    assert f"{SECRET} 9" not in screen
