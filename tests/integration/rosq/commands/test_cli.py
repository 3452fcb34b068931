"""`rosq inspect`, as a process and as people and scripts use it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from rosq import Delivery, NewJob, Queue, WorkerSettings
from rosq.inspect import Inspector
from rosq.inspect.words import duration
from tests.integration.rosq.conftest import Hands, Running, settings_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from tests.servers import EmbeddedRedis, RedisServer


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "rosq.cli", *arguments]


def run(server: RedisServer, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("REDIS_", "ROSQ_"))}
    environ |= {**server.env(), "COLUMNS": "140", **env}
    return subprocess.run(command(*arguments), env=environ, capture_output=True, text=True, timeout=30, check=False)


def test_one_screen_shows_verdict_states_lanes_and_who_holds_what(
    redis_server: RedisServer, queue: Queue, start_worker: Callable[..., Running]
) -> None:
    working, go_on = threading.Event(), threading.Event()

    def handler(_: Delivery) -> None:
        working.set()
        go_on.wait(20)

    queue.enqueue({}, job_id="job-in-hand")
    start_worker(queue, handler, name="rosreestr_user_1")
    assert working.wait(5)
    queue.enqueue({}, job_id="job-waiting", lane="urgent")
    queue.enqueue({}, job_id="job-later", delay_s=3520)

    shown = run(redis_server, "--queue", queue.name, "inspect")
    as_json = json.loads(run(redis_server, "inspect", "--json", ROSQ_QUEUE=queue.name).stdout)
    go_on.set()

    assert shown.returncode == 0
    assert shown.stderr == ""
    assert shown.stdout.startswith("OK  queue " + queue.name)
    for part in ("waiting", "urgent", "rosreestr_user_1", "busy", "job-in-hand", "job-later in 58 min", "Lanes (2)"):
        assert part in shown.stdout, part
    assert (as_json["version"], as_json["verdict"], as_json["findings"]) == (1, "OK", [])
    assert (as_json["waiting"], as_json["active"], as_json["delayed"]) == (1, 1, 1)
    worker = as_json["workers"][0]
    assert (worker["job_id"], worker["state"], worker["attempt"]) == ("job-in-hand", "busy", 1)
    assert 0 < worker["lease_left_s"] <= 30
    assert as_json["next_delayed"]["job_id"] == "job-later"
    assert as_json["lanes"][1]["oldest_waiting_s"] >= 0


def test_the_only_queue_there_is_needs_no_name_and_several_are_asked_about(own_redis: EmbeddedRedis) -> None:
    nothing = run(own_redis, "inspect")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "no queue on this Redis" in nothing.stderr

    with Queue(settings_of(own_redis), "orders") as queue:
        queue.enqueue({}, job_id="1")
    assert "queue orders" in run(own_redis, "inspect").stdout

    # The list of names is lost with all data; the keys of the queue say it too.
    with own_redis.client() as client:
        client.delete("rosq:queues")
    assert "queue orders" in run(own_redis, "inspect").stdout

    with Queue(settings_of(own_redis), "others") as queue:
        queue.enqueue({}, job_id="1")
    with own_redis.client() as client:
        client.sadd("rosq:queues", "orders")
    several = run(own_redis, "inspect")
    assert several.returncode == 2
    assert "orders, others" in several.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "code", "part"),
    [
        (["inspect"], {"REDIS_PORT": "1"}, 3, "can't be reached"),
        (["inspect"], {"REDIS_PASSWORD": "wrong"}, 3, "REDIS_PASSWORD"),
        (["inspect"], {"REDIS_PORT": "abc"}, 2, "REDIS_PORT"),
        (["--queue", "a b", "inspect"], {}, 2, "can't be named"),
        (["inspect", "--nonsense"], {}, 2, "--nonsense"),
    ],
)
def test_what_goes_wrong_is_one_sentence_with_its_exit_code(
    own_redis: EmbeddedRedis, arguments: list[str], env: dict[str, str], code: int, part: str
) -> None:
    result = run(own_redis, *arguments, **env)

    assert result.returncode == code
    assert part in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["inspect", "job", "1", "--url", "redis://:secret@h"], "--redis-url ... inspect job"),
        (["inspect", "job", "1", "--redis-url=redis://:secret@h"], "--redis-url ... inspect job"),
        (["inspect", "--host", "h"], "--redis-host ... inspect"),
        (["pause", "--port", "6379"], "--redis-port ... pause"),
        (["top", "--redis-sentinel-master", "m"], "--redis-sentinel-master ... top"),
        (["inspect", "--queue", "q"], "--queue ... inspect`"),
        (["inspect", "job", "1", "--queue", "q"], "--queue ... inspect job`"),
    ],
)
def test_an_option_that_stands_after_its_subcommand_is_told_its_place(
    own_redis: EmbeddedRedis, arguments: list[str], right: str
) -> None:
    result = run(own_redis, *arguments)

    assert result.returncode == 2
    assert "stands before the subcommand" in result.stderr
    assert right in result.stderr
    assert "secret" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told", "owner"),
    [
        (["inspect", "--lane", "secret"], "here: --lane is an option of", "inspect jobs`"),
        (["inspect", "workers", "--state", "failed"], "here: --state is an option of", "inspect jobs`"),
        (["--lane", "secret", "inspect"], "here: --lane is an option of", "inspect jobs`"),
        (["inspect", "--dry-run"], "here: --dry-run is an option of", "repair`"),
        (["--url", "redis://:secret@h", "inspect"], "here: it is called --redis-url.", ""),
    ],
)
def test_an_option_of_another_command_is_told_whose_it_is(
    own_redis: EmbeddedRedis, arguments: list[str], told: str, owner: str
) -> None:
    result = run(own_redis, *arguments)

    assert result.returncode == 2
    assert told in result.stderr
    assert owner in result.stderr
    assert "secret" not in result.stderr


@pytest.mark.parametrize(
    "arguments", [["inspect", "--nonsense"], ["pause", "--redis-ur", "x"], ["inspect", "jobs", "--lanes", "x"]]
)
def test_any_other_unknown_option_is_told_as_ever(own_redis: EmbeddedRedis, arguments: list[str]) -> None:
    result = run(own_redis, *arguments)

    assert result.returncode == 2
    assert "No such option" in result.stderr
    assert "stands before" not in result.stderr
    assert "is an option of" not in result.stderr


def test_the_help_teaches_options_environment_and_exit_codes(own_redis: EmbeddedRedis) -> None:
    text = run(own_redis, "--help").stdout + run(own_redis, "inspect", "--help").stdout

    for part in ("ROSQ_QUEUE", "REDIS_HOST", "REDIS_PASSWORD", "--watch", "--json", "Exit codes", "3 the server"):
        assert part in text, part


def test_a_limit_of_waiting_is_a_probe(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue({}, job_id="1")
    wait_until(lambda: look(redis_server, queue).oldest_waiting_s > 0.02, "some age")

    assert run(redis_server, "--queue", queue.name, "inspect", "--max-waiting-age", "0.01").returncode == 5
    assert run(redis_server, "--queue", queue.name, "inspect", "--max-waiting-age", "600").returncode == 0


def test_an_entry_without_its_job_is_an_inconsistency(
    redis_server: RedisServer, client: redis.Redis, queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    make_hands("w1").fetch()
    client.delete(queue.keys.job("1"))

    result = run(redis_server, "--queue", queue.name, "inspect")

    assert result.returncode == 4
    assert "doesn't know it" in result.stdout


def test_an_entry_that_will_never_be_read_is_an_inconsistency(
    redis_server: RedisServer, client: redis.Redis, queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    make_hands("w1").fetch()
    client.xgroup_delconsumer(queue.keys.lane("main"), "workers", "w1")

    assert "never be read again" in look(redis_server, queue).inconsistencies[0]


def look(server: RedisServer, queue: Queue) -> Any:
    with Inspector(settings_of(server)) as inspector:
        return inspector.look(queue.name)


def test_waiting_jobs_without_workers_and_a_job_of_a_dead_worker_degrade_the_verdict(
    redis_server: RedisServer, queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id="1", data={}), NewJob(job_id="2", data={})])
    make_hands("w1").fetch()
    assert look(redis_server, queue).verdict == "OK"

    client.delete(queue.keys.worker("w1"))

    overview = look(redis_server, queue)
    assert overview.verdict == "DEGRADED"
    assert any("1 job waits, and no worker is there" in problem for problem in overview.problems)
    assert any("w1 is gone and holds job 1" in problem for problem in overview.problems)
    assert overview.workers[0].state == "lost"


def test_jobs_that_idle_workers_leave_lying_degrade_the_verdict(
    redis_server: RedisServer, queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    make_hands("w1").fetch()
    seconds, _ = client.time()
    a_minute_ago_ms = seconds * 1000 - 60_000
    for lane in ("main", "@w1", "@w2"):
        queue.enqueue({}, job_id=lane, lane=lane)
        stream = queue.keys.lane(lane)
        [(_, fields)] = cast("list[tuple[str, dict[Any, Any]]]", client.xrange(stream))
        # The same entry, as if it had been lying there: no test waits for ten seconds.
        client.delete(stream)
        client.xadd(stream, fields, id=f"{a_minute_ago_ms}-0")
        client.hset(queue.keys.job(lane), "entry_id", f"{a_minute_ago_ms}-0")

    overview = look(redis_server, queue)

    assert overview.verdict == "DEGRADED"
    problems = re.sub(r" for up to 1 min( \d+ s)?", "", " ".join(overview.problems))
    assert "1 job waits in lane main, and the idle workers don't take them" in problems
    assert "lane @w1, and worker w1 is idle and doesn't take them" in problems
    assert "lane @w2, and worker w2 isn't there. Start it, or `rosq move` them" in problems


def test_a_queue_that_nobody_ever_used_is_not_ok(redis_server: RedisServer) -> None:
    shown = run(redis_server, "--queue", "mistyped", "inspect")

    assert "DEGRADED" in shown.stdout
    assert "Nothing was ever put on a queue named mistyped here. Check the name:" in shown.stdout


def test_inspecting_changes_nothing(
    redis_server: RedisServer, queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id=str(number), data={}, delay_s=number % 2) for number in range(10)])
    make_hands("w1").fetch()
    keys = sorted(client.scan_iter(f"rosq:{{{queue.name}}}:*"))
    before = {key: client.dump(key) for key in keys if not key.endswith("worker:w1")}

    look(redis_server, queue)

    assert sorted(client.scan_iter(f"rosq:{{{queue.name}}}:*")) == keys
    assert {key: client.dump(key) for key in before} == before


def test_watching_prints_again_and_again_stands_an_outage_and_ends_well(own_redis: EmbeddedRedis) -> None:
    with Queue(settings_of(own_redis), "orders") as queue:
        queue.enqueue({}, job_id="1")
    environ = {**os.environ, **own_redis.env()}
    arguments = command("inspect", "--json", "--watch", "0.1")
    with subprocess.Popen(arguments, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["waiting"] == 1

        own_redis.stop()
        while (told := json.loads(process.stdout.readline()))["view"] != "error":
            pass
        assert (told["kind"], told["queue"]) == ("unreachable", "orders")
        own_redis.start()
        while json.loads(process.stdout.readline())["view"] == "error":
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_watching_for_people_draws_the_screen_again(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue({}, job_id="1")
    environ = {**os.environ, **redis_server.env(), "ROSQ_QUEUE": queue.name, "TERM": "xterm", "COLUMNS": "120"}
    ours, theirs = pty.openpty()
    screen = b""
    with (
        os.fdopen(ours, "rb", buffering=0) as terminal,
        subprocess.Popen(command("inspect", "--watch", "0.1"), env=environ, stdout=theirs) as process,
    ):
        os.close(theirs)
        while screen.count(queue.name.encode()) < 2:
            screen += terminal.read(65536)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # how Linux says that the other side of a terminal was closed
            while terminal.read(65536):
                pass

    assert process.returncode == 0


def test_a_worker_shows_up_with_its_process(
    redis_server: RedisServer, queue: Queue, start_worker: Callable[..., Running]
) -> None:
    held = threading.Event()
    start_worker(queue, lambda _: None, name="w1", on_hold=held.set, settings=WorkerSettings())
    assert held.wait(5)

    worker = look(redis_server, queue).workers[0]

    assert (worker.name, worker.state, worker.pid) == ("w1", "idle", os.getpid())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (302, "5 min 2 s"),
        (7200, "2 h"),
        (90_061, "1 d 1 h"),
        (-75, "–"),
    ],
)
def test_durations_are_said_in_at_most_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
