"""Moving jobs between lanes and forgetting finished ones by hand: scripts, commands, and progress on long work."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rosq import JobState, NewJob, Queue, errors
from rosq.cli import main
from rosq.commands.deed import Progress
from rosq.execution.settlement import Outcome, Settlement
from rosq.job import Fate
from rosq.steering import Steering
from tests.integration.rosq.commands.test_cli import command
from tests.integration.rosq.conftest import Hands, settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import RedisServer

LONG = {"text": "x" * 200}


@pytest.fixture
def steering(redis_server: RedisServer, queue: Queue) -> Iterator[Steering]:
    with Steering(settings_of(redis_server), queue.name, by="ann", reason="a test") as steering:
        yield steering


@pytest.fixture
def rosq_command(redis_server: RedisServer, queue: Queue) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        env = {**redis_server.env(), "ROSQ_QUEUE": queue.name, "ROSQ_OPERATOR": "ann", "COLUMNS": "140"}
        return CliRunner().invoke(main, list(arguments), env=env)

    return run


def events_of(client: Any, queue: Queue, name: str) -> list[dict[str, str]]:
    return [fields for _, fields in client.xrange(queue.keys.events) if fields["event"] == name]


def finish(queue: Queue, hands: Hands, count: int, outcome: Outcome = Outcome.COMPLETE) -> None:
    """Let jobs `done-0`, `done-1` … come to an end, in this order."""
    queue.enqueue_many([NewJob(job_id=f"done-{number}", data={}) for number in range(count)])
    for _ in range(count):
        delivery = hands.fetch().delivery
        assert delivery is not None
        hands.consumer.exchange(Settlement(delivery=delivery, outcome=outcome, error="no"), (), is_fetching=False)


def age(client: Any, queue: Queue, job_id: str, by_s: int) -> None:
    """Let a completed job have come to its end so much earlier: no test waits for days."""
    finished_ms = int(client.zscore(queue.keys.completed, job_id)) - by_s * 1000
    client.zadd(queue.keys.completed, {job_id: finished_ms})
    client.hset(queue.keys.job(job_id), "finished_at_ms", finished_ms)


# -- move --------------------------------------------------------------------------------------------------------------


def test_moved_jobs_keep_data_time_and_order_and_the_event_says_who_and_why(
    queue: Queue, steering: Steering, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id="a", data=LONG, lane="@gone"), NewJob(job_id="b", data={"n": 2}, lane="@gone")])
    queue.enqueue({}, job_id="later", lane="@gone", delay_s=500)
    due_ms = client.zscore(queue.keys.delayed, "later")

    told: list[int] = []
    changed = steering.move(list(steering.see(["a", "b", "later"]).values()), to_lane="main", on_progress=told.append)

    assert [each.fate for each in changed] == [Fate.DONE] * 3
    assert told == [3]
    assert client.xlen(queue.keys.lane("@gone")) == 0
    assert client.zscore(queue.keys.delayed, "later") == due_ms
    assert queue.find_jobs(["later"])["later"].lane == "main"
    hands = make_hands("w1")
    deliveries = [hands.fetch().delivery]
    assert deliveries[0] is not None
    assert (deliveries[0].job_id, deliveries[0].data, deliveries[0].lane) == ("a", LONG, "main")
    [event, *_] = events_of(client, queue, "moved")
    facts = (event["job_id"], event["lane"], event["was"], event["by"], event["reason"])
    assert facts == ("a", "main", "@gone", "ann", "a test")


def test_moving_again_or_what_runs_is_over_or_gone_changes_nothing(
    queue: Queue, steering: Steering, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id=job_id, data={}) for job_id in ("runs", "waits", "vanishes")])
    make_hands("w1").fetch()
    seen = list(steering.see(["runs", "waits", "vanishes"]).values())
    client.delete(queue.keys.job("vanishes"))

    first = [each.fate for each in steering.move(seen, to_lane="urgent")]
    # As if the answer to the first was lost: what was seen is what was seen then.
    again = [each.fate for each in steering.move(seen, to_lane="urgent")]

    assert first == [Fate.MOVED_ON, Fate.DONE, Fate.MOVED_ON]
    assert again == [Fate.MOVED_ON] * 3
    assert client.xlen(queue.keys.lane("urgent")) == 1
    assert len(events_of(client, queue, "moved")) == 1
    with pytest.raises(errors.InvalidName):
        steering.move(seen, to_lane="a lane")


def test_a_lane_is_moved_by_command_with_plan_dry_run_and_filters(
    queue: Queue, client: Any, rosq_command: Callable[..., Result]
) -> None:
    queue.enqueue_many([NewJob(job_id=f"x-{number}", data={}, lane="@gone") for number in range(3)])
    queue.enqueue({}, job_id="x-later", lane="@gone", delay_s=500)
    queue.enqueue({}, job_id="other")

    dry = rosq_command("move", "--lane", "@gone", "--to", "main", "--dry-run")
    assert "Would move 4 jobs (waiting or delayed: 4, looked at: 4) to lane main: x-0, x-1, x-2, x-later" in dry.stdout
    assert client.xlen(queue.keys.lane("@gone")) == 3

    one = rosq_command("move", "--state", "waiting", "--id", "x-1", "--to", "urgent", "--why", "the client waits")
    assert (one.exit_code, "Done: 1 of 1" in one.stdout) == (0, True)
    told = json.loads(
        rosq_command("move", "--lane", "@gone", "--to", "main", "--why", "its worker is gone", "--json").stdout
    )
    assert (told["planned"], told["done"], told["skipped"]) == (3, 3, [])
    assert client.xlen(queue.keys.lane("@gone")) == 0
    assert client.xlen(queue.keys.lane("main")) == 3


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("move 1 --why x", "--to"),
        ("move --to main --why x", "Name jobs or give a filter"),
        ("move --to main --all --why x", "say --yes"),
        ("move --lane main --to main --why x", "in lane main already"),
        ("move 1 --to main", "--why"),
        ("move 1 --state active --to main --why x", "'…' is not one of"),
        ("forget --why x", "--older-than or --keep"),
        ("forget --all --keep 3 --why x", "--older-than or --keep"),
        ("forget --all --why x", "say --yes"),
        ("forget --keep 1", "--why"),
        ("forget --state waiting --keep 1 --why x", "'…' is not one of"),
    ],
)
def test_what_is_said_by_halves_is_refused_and_changes_nothing(
    queue: Queue,
    client: Any,
    rosq_command: Callable[..., Result],
    make_hands: Callable[..., Hands],
    line: str,
    sentence: str,
) -> None:
    finish(queue, make_hands("w1"), 2)
    queue.enqueue({}, job_id="1", lane="other")
    before = client.xlen(queue.keys.events)

    result = rosq_command(*line.split())

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert client.xlen(queue.keys.events) == before


# -- forget ------------------------------------------------------------------------------------------------------------


def test_finished_jobs_are_forgotten_by_count_and_the_newest_stay(
    queue: Queue, client: Any, rosq_command: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    finish(queue, make_hands("w1"), 7)

    dry = rosq_command("forget", "--keep", "2", "--dry-run")
    assert "Would forget 5 jobs (completed)." in dry.stdout
    assert client.zcard(queue.keys.completed) == 7
    done = rosq_command("forget", "--keep", "2", "--why", "memory")

    assert (done.exit_code, "Forgot 5 jobs (completed)." in done.stdout) == (0, True)
    assert client.zrange(queue.keys.completed, 0, -1) == ["done-5", "done-6"]
    states = {job_id: job.state.value for job_id, job in queue.find_jobs(f"done-{n}" for n in range(7)).items()}
    assert states == {f"done-{n}": "forgotten" if n < 5 else "completed" for n in range(7)}
    [event] = events_of(client, queue, "forgotten")
    assert event == {"event": "forgotten", "state": "completed", "count": "5", "by": "ann", "reason": "memory"}


def test_finished_jobs_are_forgotten_by_age_or_count_whichever_takes_more(
    queue: Queue, client: Any, rosq_command: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    finish(queue, make_hands("w1"), 6)
    for number, days in enumerate((9, 8, 3)):
        age(client, queue, f"done-{number}", days * 86_400)

    assert json.loads(rosq_command("forget", "--older-than", "7d", "--dry-run", "--json").stdout)["planned"] == 2
    assert json.loads(rosq_command("forget", "--keep", "5", "--dry-run", "--json").stdout)["planned"] == 1
    told = json.loads(rosq_command("forget", "--older-than", "7d", "--keep", "3", "--why", "x", "--json").stdout)

    assert (told["planned"], told["done"]) == (3, 3)
    assert client.zrange(queue.keys.completed, 0, -1) == ["done-3", "done-4", "done-5"]


def test_what_started_again_since_is_not_forgotten(
    queue: Queue, steering: Steering, client: Any, make_hands: Callable[..., Hands]
) -> None:
    finish(queue, make_hands("w1"), 3, Outcome.FAIL)
    count = steering.count_forgettable(JobState.FAILED, older_s=None, keep=0)
    steering.retry(list(steering.see(["done-1"]).values()))

    assert steering.forget(JobState.FAILED, count) == 2
    assert steering.forget(JobState.FAILED, count) == 0

    assert queue.find_jobs(["done-0", "done-1", "done-2"])["done-1"].state is JobState.WAITING
    assert client.zcard(queue.keys.failed) == 0
    assert len(events_of(client, queue, "forgotten")) == 1


def test_many_are_forgotten_in_batches_that_do_not_hold_up_the_server(
    queue: Queue, steering: Steering, client: Any
) -> None:
    pipe = client.pipeline(transaction=False)
    for number in range(230):
        pipe.hset(queue.keys.job(f"j-{number}"), mapping={"state": "completed", "finished_at_ms": 1000 + number})
        pipe.zadd(queue.keys.completed, {f"j-{number}": 1000 + number})
    pipe.execute()

    told: list[int] = []
    assert steering.forget(JobState.COMPLETED, 220, on_progress=told.append) == 220

    assert told == [50, 100, 150, 200, 220]
    assert client.zrange(queue.keys.completed, 0, 0) == ["j-220"]
    assert {int(event["count"]) for event in events_of(client, queue, "forgotten")} == {50, 20}


# -- progress ----------------------------------------------------------------------------------------------------------


def test_long_work_says_how_far_it_is_on_stderr_only(
    capsys: pytest.CaptureFixture[str], queue: Queue, steering: Steering
) -> None:
    queue.enqueue_many([NewJob(job_id=f"x-{number}", data={}) for number in range(120)])
    seen = list(steering.see([f"x-{number}" for number in range(120)]).values())

    with Progress("Changed", len(seen), every_s=0.0) as progress:
        steering.move(seen, to_lane="other", on_progress=progress.tell)

    said = capsys.readouterr()
    assert said.err == "Changed: 50 of 120 …\nChanged: 100 of 120 …\nChanged: 120 of 120 …\n"
    assert said.out == ""


def test_short_work_says_nothing_of_progress(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue_many([NewJob(job_id=f"x-{number}", data={}) for number in range(120)])
    env = {**os.environ, **redis_server.env(), "ROSQ_QUEUE": queue.name}

    result = subprocess.run(
        command("drain", "--yes", "--why", "a test"), env=env, capture_output=True, text=True, timeout=30, check=False
    )

    assert (result.returncode, result.stderr) == (0, "")
    assert "Removed 120 jobs" in result.stdout


# -- all means all -----------------------------------------------------------------------------------------------------

MANY = 2_500


def fill_failed(client: Any, queue: Queue, count: int) -> None:
    """Failed jobs as scripts leave them: no test lets thousands run."""
    pipe = client.pipeline(transaction=False)
    for number in range(count):
        fields = {"state": "failed", "data": "{}", "last_error": "no", "finished_at_ms": 1_000 + number, "fence": 1}
        pipe.hset(queue.keys.job(f"f-{number}"), mapping=fields)
        pipe.zadd(queue.keys.failed, {f"f-{number}": 1_000 + number})
    pipe.execute()


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("retry --all --yes", "failed"),
        ("cancel --all --yes", "waiting"),
        ("cancel --state waiting --all --yes", "waiting"),
        ("move --to other --all --yes", "waiting"),
        ("promote --all --yes", "delayed"),
        ("remove --state failed --all --yes", "failed"),
        ("remove --state waiting --all --yes", "waiting"),
        ("retry --error no --yes", "failed"),
        ("drain --yes", "waiting"),
        ("forget --state failed --all --yes", "failed"),
    ],
)
def test_all_means_all_and_the_exit_code_says_so(
    queue: Queue, client: Any, rosq_command: Callable[..., Result], line: str, left: str
) -> None:
    queue.enqueue_many([NewJob(job_id=f"w-{number}", data={}) for number in range(MANY)])
    queue.enqueue_many([NewJob(job_id=f"d-{number}", data={}, delay_s=3600) for number in range(MANY)])
    fill_failed(client, queue, MANY)

    result = rosq_command(*line.split(), "--why", "x")

    keys = queue.keys
    counts = {"waiting": client.xlen(keys.lane("main")), "delayed": client.zcard(keys.delayed)}
    counts["failed"] = client.zcard(keys.failed)
    assert (result.exit_code, counts[left]) == (0, 0)
    verb = "Removed" if line.startswith("drain") else "Forgot" if line.startswith("forget") else "Done:"
    assert f"{verb} 2,500" in result.stdout or f"{verb} 5,000 of 5,000" in result.stdout


@pytest.mark.parametrize(
    "line", ["cancel --state waiting --id w-", "remove --state waiting --age >0s", "move --lane main --to b"]
)
def test_a_filter_that_means_very_many_jobs_has_to_be_meant(
    queue: Queue, client: Any, rosq_command: Callable[..., Result], line: str
) -> None:
    queue.enqueue_many([NewJob(job_id=f"w-{number}", data={}) for number in range(MANY)])

    refused = rosq_command(*line.split(), "--why", "x")
    some = rosq_command(*line.split(), "--limit", "10", "--why", "x")

    assert (refused.exit_code, "2,500 jobs" in refused.stderr, "--yes" in refused.stderr) == (2, True, True)
    assert (some.exit_code, "Done: 10 of 10." in some.stdout, "There may be more" in some.stdout) == (0, True, True)
    assert client.xlen(queue.keys.lane("main")) == MANY - 10


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("retry --all --limit 5 --why x", "--all is all of them"),
        ("retry a --limit 5 --why x", "Give ids or a filter, not both."),
        ("retry a --yes --all --why x", "Give ids or a filter, not both."),
    ],
)
def test_a_bound_and_all_contradict_each_other(
    rosq_command: Callable[..., Result], queue: Queue, line: str, told: str
) -> None:
    queue.enqueue({}, job_id="a")

    result = rosq_command(*line.split())

    assert (result.exit_code, told in result.stderr) == (2, True)


def test_what_lies_in_the_lane_already_needs_no_move(queue: Queue, rosq_command: Callable[..., Result]) -> None:
    queue.enqueue_many([NewJob(job_id="here", data={}), NewJob(job_id="there", data={}, lane="gone")])

    result = rosq_command("move", "--all", "--yes", "--to", "main", "--why", "x")

    assert (result.exit_code, "Done: 1 of 1." in result.stdout, "1 job needed nothing" in result.stdout) == (
        0,
        True,
        True,
    )


@pytest.mark.parametrize("line", ["forget --state failed --all --yes", "forget --state failed --keep 0 --forget-id"])
def test_a_key_that_something_else_wrote_is_in_the_way_of_no_other(
    queue: Queue, client: Any, rosq_command: Callable[..., Result], line: str
) -> None:
    queue.enqueue({}, job_id="1")
    fill_failed(client, queue, 120)
    client.delete(queue.keys.job("f-3"))
    client.set(queue.keys.job("f-3"), "something else")

    result = rosq_command(*line.split(), "--why", "x")

    assert (result.exit_code, client.zcard(queue.keys.failed)) == (0, 0)


def test_json_of_very_many_names_the_first_thousand_and_counts_all(
    queue: Queue, rosq_command: Callable[..., Result]
) -> None:
    queue.enqueue_many([NewJob(job_id=f"w-{number}", data={}) for number in range(MANY)])

    told = json.loads(rosq_command("cancel", "--all", "--yes", "--why", "x", "--json").stdout)

    assert (told["planned"], told["done"], told["is_done"], told["is_cut"]) == (MANY, MANY, True, False)
    assert len(told["jobs"]) == 1_000


def test_work_that_breaks_off_says_how_far_it_came(queue: Queue, client: Any, redis_server: RedisServer) -> None:
    queue.enqueue_many([NewJob(job_id=f"w-{number}", data={}) for number in range(20_000)])
    env = {**os.environ, **redis_server.env(), "ROSQ_QUEUE": queue.name}
    arguments = command("cancel", "--all", "--yes", "--why", "x")

    with subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: client.zcard(queue.keys.cancelled) > 100, "some to be cancelled", 60)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        told = process.stderr.read()

    done = client.zcard(queue.keys.cancelled)
    assert process.returncode == 1
    [count] = re.findall(r"Stopped: (?:changed )?([\d,]+) of 20,000", told)
    assert 0 <= done - int(count.replace(",", "")) <= 50
