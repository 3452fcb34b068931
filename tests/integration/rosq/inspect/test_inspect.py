"""The views of `rosq inspect`: what each shows, its JSON, its refusals and exit codes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import tenacity
from click.testing import CliRunner, Result

from rosq import Delivery, NewJob, Queue, RetryPolicy, Snooze
from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement
from rosq.inspect import Inspector
from rosq.inspect.events import Tail
from tests.integration.rosq.conftest import Hands, Running, settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import EmbeddedRedis, RedisServer


@pytest.fixture
def inspect(redis_server: RedisServer, queue: Queue) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        env = {**redis_server.env(), "ROSQ_QUEUE": queue.name, "COLUMNS": "160"}
        return CliRunner().invoke(main, ["inspect", *arguments], env=env)

    return run


@pytest.fixture
def inspect_json(inspect: Callable[..., Result]) -> Callable[..., Any]:
    def run(*arguments: str) -> Any:
        result = inspect(*arguments, "--json")
        assert result.stderr == ""
        return json.loads(result.stdout)

    return run


def settle(hands: Hands, outcome: Outcome, **how: Any) -> None:
    """Fetch the next job and settle it."""
    delivery = hands.fetch().delivery
    assert delivery is not None
    hands.consumer.exchange(Settlement(delivery=delivery, outcome=outcome, **how), (), is_fetching=False)


# -- job and explain ---------------------------------------------------------------------------------------------------


def test_a_job_shows_its_hand_outs_events_and_what_comes_next(
    queue: Queue, inspect: Callable[..., Result], inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({"secret": "s3cret"}, job_id="1")
    settle(make_hands("w1"), Outcome.RETRY, delay_s=300, error="ValueError: [bold]no[/bold] :smile:")

    shown = inspect("job", "1")
    told = inspect_json("job", "1")
    with_data = inspect_json("job", "1", "--show-data")

    assert shown.exit_code == 0
    assert "ValueError: [bold]no[/bold] :smile:" in shown.stdout
    assert "s3cret" not in shown.stdout
    assert "Hand-outs (1)" in shown.stdout
    assert (told["version"], told["view"], told["state"], told["attempts"]) == (1, "job", "delayed", 1)
    assert [event["event"] for event in told["events"]] == ["enqueued", "started", "retried"]
    assert told["is_timeline_whole"] is True
    [delivery] = told["deliveries"]
    assert (delivery["worker"], delivery["outcome"]) == ("w1", "retried")
    assert delivery["duration_s"] >= 0
    assert told["next_at"] == told["due_at"]
    assert (told["data"], told["data_bytes"]) == (None, 19)
    assert with_data["data"] == {"secret": "s3cret"}


def test_crashes_and_repeated_hand_outs_are_told_apart(
    queue: Queue, client: Any, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    first = make_hands("w1")
    first.fetch()
    # The answer was lost, and the same process asks again; then it dies, and its restart can prove that.
    first.fetch()
    restarted = make_hands("w1", is_holding=False)
    assert restarted.take_name([first.consumer.instance]) is None
    restarted.fetch()

    told = inspect_json("job", "1")

    assert [each["outcome"] for each in told["deliveries"]] == ["repeated", "crashed", "running"]
    assert told["crashes"] == 1


def test_a_timeline_whose_beginning_is_trimmed_says_so(
    queue: Queue, client: Any, inspect: Callable[..., Result], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    make_hands().fetch()
    client.xtrim(queue.keys.events, maxlen=1, approximate=False)

    assert "older ones are no longer kept" in inspect("job", "1").stdout


def test_an_unknown_job_exits_with_1_and_a_dead_one_with_4(
    queue: Queue, client: Any, inspect: Callable[..., Result]
) -> None:
    queue.enqueue({}, job_id="dead")
    client.delete(queue.keys.lane("main"))

    for view in ("job", "explain"):
        unknown, dead = inspect(view, "nobody"), inspect(view, "dead")
        assert (unknown.exit_code, dead.exit_code) == (1, 4)
        assert "knows no job nobody" in unknown.stdout
        assert "nothing will ever start it" in dead.stdout
        assert "rosq retry dead" in dead.stdout
    assert inspect("explain", "two words").exit_code == 2


def test_explain_names_the_place_in_the_lane_and_the_busy_worker(
    queue: Queue, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(8)])
    hands = make_hands("w1")
    hands.fetch()

    told = inspect_json("explain", "5")

    assert (told["state"], told["is_running"], told["will_run"]) == ("waiting", False, True)
    assert told["reasons"][0] == "4 jobs are ahead of it in lane main."
    assert "The only worker that reads lane main is busy: w1 with job 0" in told["reasons"][1]
    assert told["next_at"] is None
    assert "too few jobs were started" in told["next"]


def test_explain_foresees_by_the_pace_of_the_last_starts(
    queue: Queue, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(20)])
    hands = make_hands("w1")
    for _ in range(6):
        settle(hands, Outcome.COMPLETE)
    hands.fetch()

    told = inspect_json("explain", "19")

    assert "at the pace of the last 7 starts" in told["next"]
    assert told["next_at"] > told["seen_at"]


def test_explain_says_that_nobody_is_there_or_reads_the_lane(
    queue: Queue, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1", lane="@nobody")
    assert inspect_json("explain", "1")["reasons"] == ["No worker is there."]

    make_hands("w1").fetch("main")

    told = inspect_json("explain", "1")
    assert told["reasons"] == ["No living worker reads lane @nobody; those that are there (w1) read others."]
    assert "until a worker is started that reads lane @nobody" in told["next"]


def test_explain_tells_a_running_job_from_one_whose_holder_is_gone(
    queue: Queue, client: Any, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    make_hands("w1").fetch()
    running = inspect_json("explain", "1")
    client.delete(queue.keys.worker("w1"))
    alone = inspect_json("explain", "1")
    make_hands("w2")
    with_another = inspect_json("explain", "1")

    assert running["is_running"] is True
    assert "worker w1 has it" in running["verdict"]
    assert alone["is_running"] is False
    assert "Worker w1 is gone, and its lease stands" in alone["verdict"]
    assert alone["next_at"] is None
    assert with_another["next_at"] is not None


@pytest.mark.parametrize(
    ("signal_", "part"), [(Snooze(300), "put it off"), (ValueError("no"), "failed (attempt 1), and it rests")]
)
def test_explain_says_why_a_job_is_delayed(
    queue: Queue,
    inspect_json: Callable[..., Any],
    start_worker: Callable[..., Running],
    signal_: Exception,
    part: str,
) -> None:
    def handler(_: Delivery) -> None:
        raise signal_

    queue.enqueue({}, job_id="1")
    start_worker(queue, handler, policy=RetryPolicy(wait=tenacity.wait_fixed(300)))
    wait_until(lambda: (job := queue.find_job("1")) and job.due_at, "the job to be delayed")

    told = inspect_json("explain", "1")

    assert part in told["reasons"][0]
    assert "goes into lane main" in told["next"]


def test_explain_says_how_a_job_ended_or_was_removed(
    redis_server: RedisServer,
    queue: Queue,
    inspect: Callable[..., Result],
    make_hands: Callable[..., Hands],
) -> None:
    hands = make_hands("w1")
    queue.enqueue({}, job_id="done")
    settle(hands, Outcome.COMPLETE)
    queue.enqueue({}, job_id="failed")
    settle(hands, Outcome.FAIL, error="ValueError: no")

    assert "worker w1 completed it" in inspect("explain", "done").stdout
    failed = inspect("explain", "failed")
    assert "Its last error: ValueError: no" in failed.stdout
    assert "rosq retry failed" in failed.stdout
    env = {**redis_server.env(), "ROSQ_QUEUE": queue.name}
    assert CliRunner().invoke(main, ["remove", "failed", "--why", "old", "--by", "ann"], env=env).exit_code == 0
    assert "removed at" in inspect("explain", "failed").stdout
    assert "by ann (old)" in inspect("explain", "failed").stdout


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_pages_of_jobs_show_each_once_while_jobs_come_and_go(
    queue: Queue, client: Any, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands("w1")
    for number in range(3):
        queue.enqueue({}, job_id=f"failed{number}")
        settle(hands, Outcome.FAIL, error="x")
    queue.enqueue({}, job_id="active")
    hands.fetch()
    queue.enqueue_many([NewJob(job_id=f"w{number}", data={}) for number in range(7)])
    # All due at one instant: their order is that of their ids.
    queue.enqueue_many([NewJob(job_id=f"d{number}", data={}, delay_s=900) for number in range(7)])
    client.zadd(queue.keys.delayed, {f"d{number}": 2**43 for number in range(7)})

    seen: list[str] = []
    page = inspect_json("jobs", "--limit", "4")
    assert page["count"] == 18
    while True:
        seen += [row["job_id"] for row in page["jobs"]]
        assert len(page["jobs"]) <= 4
        if page["cursor"] is None:
            break
        # The very jobs by which the cursor goes on vanish.
        last = page["jobs"][-1]["job_id"]
        client.zrem(queue.keys.delayed, last)
        client.zrem(queue.keys.failed, last)
        page = inspect_json("jobs", "--limit", "4", "--cursor", page["cursor"])

    failed = [f"failed{number}" for number in (2, 1, 0)]
    assert seen == ["active", *[f"w{n}" for n in range(7)], *[f"d{n}" for n in range(7)], *failed]


def test_jobs_are_filtered_by_everything_that_can_be_asked(
    queue: Queue, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands("w1")
    queue.enqueue({}, job_id="timed-out")
    settle(hands, Outcome.FAIL, error="TimeoutError: slow")
    queue.enqueue({}, job_id="retrying")
    settle(hands, Outcome.RETRY, delay_s=500, error="ValueError: no")
    queue.enqueue({}, job_id="urgent", lane="urgent")
    queue.enqueue({}, job_id="plain")

    def ids(*options: str) -> list[str]:
        return [row["job_id"] for row in inspect_json("jobs", *options)["jobs"]]

    assert ids("--state", "failed", "--state", "delayed") == ["retrying", "timed-out"]
    assert ids("--lane", "urgent") == ["urgent"]
    assert ids("--worker", "w1", "--state", "failed") == ["timed-out"]
    assert ids("--error", "TIMEOUT|refused") == ["timed-out"]
    assert ids("--attempts", ">0") == ["retrying", "timed-out"]
    assert ids("--attempts", "0", "--state", "waiting") == ["plain", "urgent"]
    assert ids("--crashes", ">0") == []
    assert ids("--id", "^pl") == ["plain"]
    assert ids("--age", ">1h") == []
    assert len(ids("--age", "<1h")) == 4


def test_looking_stops_at_its_bound_and_says_so(
    queue: Queue, inspect: Callable[..., Result], inspect_json: Callable[..., Any]
) -> None:
    queue.enqueue_many([NewJob(job_id=f"w{number}", data={}) for number in range(500)])

    page = inspect_json("jobs", "--id", "w499", "--scan", "300")

    assert (page["jobs"], page["looked_at"], page["count"], page["is_cut"]) == ([], 300, 500, True)
    shown = inspect("jobs", "--id", "w499", "--scan", "300").stdout
    assert "0 of 500 shown, 300 looked at" in shown
    assert "--scan looks at more" in shown
    assert [row["job_id"] for row in inspect_json("jobs", "--id", "w499", "--cursor", page["cursor"])["jobs"]] == [
        "w499"
    ]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--age", "soon"], "no duration"),
        (["--attempts", "many"], "no count"),
        (["--error", "("], "regular expression"),
        (["--state", "gone"], "waiting"),
        (["--cursor", "%%"], "no cursor"),
        (["--cursor", "WyJ4IiwgInkiXQ"], "the same ones as before"),
    ],
)
def test_a_filter_that_says_nothing_is_refused(
    queue: Queue, inspect: Callable[..., Result], options: list[str], part: str
) -> None:
    queue.enqueue({}, job_id="1")

    result = inspect("jobs", *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert part in result.stderr


def test_delayed_jobs_come_by_their_time(queue: Queue, inspect_json: Callable[..., Any]) -> None:
    for number in (3, 1, 2):
        queue.enqueue({}, job_id=str(number), delay_s=number * 100)

    told = inspect_json("delayed", "--limit", "2")

    assert [row["job_id"] for row in told["jobs"]] == ["1", "2"]
    assert 90 < told["jobs"][0]["due_in_s"] <= 100
    assert (told["view"], told["count"]) == ("delayed", 3)


# -- workers, lanes, queues, pending, errors, throughput --------------------------------------------------------------


def test_workers_are_a_probe(queue: Queue, inspect: Callable[..., Result], make_hands: Callable[..., Hands]) -> None:
    make_hands("w1")

    assert inspect("workers", "--min-alive", "1").exit_code == 0
    few = inspect("workers", "--min-alive", "2")
    assert few.exit_code == 5
    assert "w1" in few.stdout


def test_lanes_and_queues_are_listed(queue: Queue, inspect: Callable[..., Result]) -> None:
    queue.enqueue({}, job_id="1", lane="urgent")

    assert "urgent" in inspect("lanes").stdout
    assert queue.name in inspect("queues").stdout


def test_pending_tells_healthy_lost_expired_and_orphaned_entries_apart(
    queue: Queue,
    client: Any,
    inspect: Callable[..., Result],
    inspect_json: Callable[..., Any],
    make_hands: Callable[..., Hands],
) -> None:
    queue.enqueue_many([NewJob(job_id=job_id, data={}) for job_id in ("healthy", "lost", "expired", "orphan")])
    for number in range(4):
        make_hands(f"w{number}").fetch()
    assert inspect("pending").exit_code == 0
    client.delete(queue.keys.worker("w1"))
    client.hset(queue.keys.job("expired"), "lease_until_ms", 1)
    client.delete(queue.keys.job("orphan"))

    told = inspect_json("pending")

    assert {each["job_id"]: each["verdict"] for each in told["pending"]} == {
        each: each for each in ("healthy", "lost", "expired", "orphan")
    }
    assert inspect("pending").exit_code == 4
    assert "2 of 4 shown" in inspect("pending", "--limit", "2").stdout


def test_errors_are_grouped_by_class_and_by_text(
    queue: Queue, inspect: Callable[..., Result], inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    for number, error in enumerate(["TimeoutError: page 1", "TimeoutError: page 2", "TimeoutError: login", "told so"]):
        queue.enqueue({}, job_id=f"f{number}")
        settle(hands, Outcome.FAIL, error=error)
    queue.enqueue({}, job_id="again")
    settle(hands, Outcome.RETRY, error="TimeoutError: page 3", delay_s=500)

    by_class = inspect_json("errors")
    by_text = inspect_json("errors", "--by", "text")

    assert [(g["kind"], g["failed"], g["retrying"]) for g in by_class["groups"]] == [
        ("TimeoutError", 3, 1),
        ("told so", 1, 0),
    ]
    assert by_class["groups"][0]["sample_job_id"] == "f2"
    assert (by_text["groups"][0]["kind"], by_text["groups"][0]["failed"]) == ("TimeoutError: page …", 2)
    assert "TimeoutError" in inspect("errors").stdout
    assert inspect_json("errors", "--since", "1h")["groups"] == by_class["groups"]


def test_old_errors_are_left_out(
    queue: Queue, client: Any, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    queue.enqueue({}, job_id="old")
    settle(hands, Outcome.FAIL, error="TimeoutError: x")
    client.hset(queue.keys.job("old"), "finished_at_ms", 1)
    client.zadd(queue.keys.failed, {"old": 1})

    assert len(inspect_json("errors")["groups"]) == 1
    assert inspect_json("errors", "--since", "10m")["groups"] == []


def test_throughput_counts_by_step_and_marks_what_may_be_forgotten(
    queue: Queue, client: Any, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands()
    for job_id in ("a", "b", "c"):
        queue.enqueue({}, job_id=job_id)
        settle(hands, Outcome.COMPLETE)
    whole = inspect_json("throughput", "--step", "hour", "--steps", "3")
    client.zrem(queue.keys.completed, "a")
    part = inspect_json("throughput", "--step", "hour", "--steps", "3")

    assert sum(step["completed"] for step in whole["steps"]) == 3
    assert all(step["is_whole"] for step in whole["steps"])
    assert whole["completed_total"] == 3
    assert not part["steps"][-1]["is_whole"]


# -- events ------------------------------------------------------------------------------------------------------------


def test_events_are_filtered_and_counted(
    queue: Queue, inspect_json: Callable[..., Any], make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(5)])
    settle(make_hands("w1"), Outcome.COMPLETE)

    everything = inspect_json("events", "--limit", "3")
    of_job = inspect_json("events", "--job", "0")
    of_worker = inspect_json("events", "--worker", "w1", "--event", "completed")

    assert [each["event"] for each in everything["events"]] == ["worker_joined", "started", "completed"]
    # What was put on the queue at once is one entry of the stream.
    assert everything["count"] == 4
    assert [each["event"] for each in of_job["events"]] == ["enqueued", "started", "completed"]
    assert [each["job_id"] for each in of_worker["events"]] == ["0"]


def test_following_tells_what_happens_stands_an_outage_and_ends_well(own_redis: EmbeddedRedis) -> None:
    with Queue(settings_of(own_redis), "orders") as queue:
        queue.enqueue({}, job_id="before")
        command = [sys.executable, "-m", "rosq.cli", "inspect", "events", "-f", "--json"]
        environ = {**os.environ, **own_redis.env()}
        with subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert json.loads(process.stdout.readline())["job_id"] == "before"
            queue.enqueue({}, job_id="during")
            assert json.loads(process.stdout.readline())["job_id"] == "during"

            own_redis.stop()
            assert "Trying again" in process.stderr.readline()
            own_redis.start()
            queue.enqueue({}, job_id="after")

            assert json.loads(process.stdout.readline())["job_id"] == "after"
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
            assert process.stderr.read() == ""


def test_events_that_were_trimmed_before_they_could_be_read_are_counted(
    redis_server: RedisServer, client: Any, queue: Queue
) -> None:
    with Inspector(settings_of(redis_server)) as inspector:
        queue.enqueue({}, job_id="0")
        following = Tail(queue.keys, inspector.last_event_id(queue.name))
        queue.enqueue({}, job_id="1")
        assert [each.job_id for each in inspector.catch(following, 10).events] == ["1"]
        for number in range(2, 12):
            queue.enqueue({}, job_id=str(number))
        client.xtrim(queue.keys.events, maxlen=4, approximate=False)

        caught = inspector.catch(following, 10)
        nothing = inspector.catch(following, 10)

    is_counted = "entries-added" in client.xinfo_stream(queue.keys.events)
    assert [each.job_id for each in caught.events] == ["8", "9", "10", "11"]
    assert caught.dropped == (6 if is_counted else None)
    assert (nothing.events, nothing.dropped) == ([], 0)


# -- on a terminal and without a server --------------------------------------------------------------------------------


def test_ids_stay_whole_on_a_narrow_terminal(redis_server: RedisServer, queue: Queue) -> None:
    job_id = "order-2026-" + "x" * 60
    queue.enqueue({}, job_id=job_id)
    leader, follower = pty.openpty()
    environ = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    environ |= {**redis_server.env(), "ROSQ_QUEUE": queue.name, "TERM": "xterm-256color"}
    environ |= {"COLUMNS": "60", "LINES": "40"}
    with subprocess.Popen(
        [sys.executable, "-m", "rosq.cli", "inspect", "jobs"], env=environ, stdout=follower, close_fds=True
    ) as process:
        os.close(follower)
        chunks: list[bytes] = []
        reader = threading.Thread(target=_read_all, args=(leader, chunks))
        reader.start()
        assert process.wait(20) == 0
        reader.join(10)
    os.close(leader)

    out = b"".join(chunks).decode()
    assert "\x1b[" in out
    assert out.replace("\r\n", "\n").count("x") >= 60
    assert "…" not in out


def _read_all(leader: int, chunks: list[bytes]) -> None:
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:
            # What Linux says when the other end is closed.
            return
        if not chunk:
            return
        chunks.append(chunk)


def test_a_pipe_gets_a_row_a_line_without_colours(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue({}, job_id="1")
    queue.enqueue({}, job_id="x" * 120, lane="y" * 120)
    env = {**redis_server.env(), "ROSQ_QUEUE": queue.name, "COLUMNS": None}

    out = CliRunner().invoke(main, ["inspect", "jobs"], env=env).stdout

    assert any("x" * 120 in line and "y" * 120 in line for line in out.splitlines())
    assert "\x1b" not in out


@pytest.mark.parametrize(
    "line",
    [
        "job 1",
        "explain 1",
        "jobs",
        "workers",
        "lanes",
        "pending",
        "delayed",
        "errors",
        "events",
        "events -f",
        "throughput",
    ],
)
def test_every_view_tells_that_the_server_is_away(line: str) -> None:
    env = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1", "ROSQ_QUEUE": "orders"}

    result = CliRunner().invoke(main, ["inspect", *line.split()], env=env)

    assert (result.exit_code, result.stdout) == (3, "")
    assert "can't be reached" in result.stderr


@pytest.mark.parametrize("line", ["job 1", "jobs", "pending", "errors", "events", "throughput"])
def test_every_view_refuses_a_queue_of_a_newer_rosq(
    queue: Queue, client: Any, inspect: Callable[..., Result], line: str
) -> None:
    client.hset(queue.keys.meta, "schema_version", 99)

    result = inspect(*line.split())

    assert (result.exit_code, result.stdout) == (1, "")
    assert "newer rosq" in result.stderr


def test_output_options_may_stand_before_the_subcommand(queue: Queue, inspect: Callable[..., Result]) -> None:
    queue.enqueue({}, job_id="1")

    assert json.loads(inspect("--json", "jobs").stdout)["view"] == "jobs"


def test_watching_a_view_prints_it_again_and_again(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue({}, job_id="1")
    environ = {**os.environ, **redis_server.env(), "ROSQ_QUEUE": queue.name}
    command = [sys.executable, "-m", "rosq.cli", "inspect", "jobs", "--json", "--watch", "0.1"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["count"] == 1
        queue.enqueue({}, job_id="2")
        wait_until(lambda: json.loads(process.stdout.readline())["count"] == 2, "the second job")  # type: ignore[union-attr]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
