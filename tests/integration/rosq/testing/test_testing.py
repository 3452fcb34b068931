"""`rosq.testing`: what it promises to those who test their handlers with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

import rosq
from rosq import Delivery, Fail, Hook, JobState, NewJob, Queue, QueueSettings, Release, Snooze
from rosq.steering import Steering
from rosq.store.keys import QUEUES
from rosq.testing import QueueNotEmpty, Tally, TwiceDeliveringQueue, fast_retries, run_until_empty, temporary_queue
from tests.integration.rosq.conftest import Hands, settings_of
from tests.integration.rosq.execution.test_worker import Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import EmbeddedRedis, RedisServer

HOW_TO = Path(rosq.__file__).parents[1] / "docs" / "how-to" / "test-your-handlers.md"


# -- run_until_empty ---------------------------------------------------------------------------------------------------


def test_a_queue_is_run_to_empty_in_the_calling_thread(queue: Queue) -> None:
    handler = Script()
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(5)])

    tally = run_until_empty(queue, handler)

    assert tally == Tally(completed=5)
    assert [delivery.job_id for delivery in handler.deliveries] == ["0", "1", "2", "3", "4"]


def test_an_empty_queue_is_done_at_once(queue: Queue) -> None:
    assert run_until_empty(queue, Script()) == Tally()


def test_delayed_jobs_run_in_the_order_of_their_times_without_being_waited_for(queue: Queue) -> None:
    handler = Script()
    queue.enqueue({}, job_id="in an hour".replace(" ", "-"), delay_s=3600)
    queue.enqueue({}, job_id="in-a-week", delay_s=604_800)
    queue.enqueue({}, job_id="in-a-minute", delay_s=60)
    started_s = time.monotonic()

    tally = run_until_empty(queue, handler)

    assert tally == Tally(completed=3)
    assert [delivery.job_id for delivery in handler.deliveries] == ["in-a-minute", "in-an-hour", "in-a-week"]
    assert time.monotonic() - started_s < 5


def test_time_moves_for_all_delayed_jobs_alike(queue: Queue) -> None:
    # A job that snoozes a minute at a time runs twice before one that is due after two and a half.
    handler = Script(Snooze(60), Snooze(60), Snooze(60))
    queue.enqueue({}, job_id="snoozer")
    queue.enqueue({}, job_id="other", delay_s=150)

    run_until_empty(queue, handler)

    assert [delivery.job_id for delivery in handler.deliveries] == ["snoozer", "snoozer", "snoozer", "other", "snoozer"]


def test_every_outcome_is_counted(queue: Queue) -> None:
    handler = Script(ValueError(), Snooze(30), Release(), None, Fail("no"))
    queue.enqueue({}, job_id="a")

    assert run_until_empty(queue, handler) == Tally(retried=1, snoozed=1, released=1, completed=1)
    queue.enqueue({}, job_id="b")
    assert run_until_empty(queue, handler) == Tally(failed=1)


def test_retries_follow_the_policy_without_its_pauses(queue: Queue) -> None:
    handler = Script(ValueError(), ValueError(), ValueError(), ValueError())
    queue.enqueue({}, job_id="a")

    tally = run_until_empty(queue, handler, policy=fast_retries(max_attempts=4))

    assert tally == Tally(retried=3, failed=1)
    assert [delivery.is_last_attempt for delivery in handler.deliveries] == [False, False, False, True]


def test_jobs_that_a_handler_puts_on_the_queue_are_run_in_lanes_that_come_up(queue: Queue) -> None:
    seen: list[str] = []

    def handler(delivery: Delivery) -> None:
        seen.append(delivery.job_id)
        if delivery.job_id == "first":
            queue.enqueue({}, job_id="second", lane="another")

    queue.enqueue({}, job_id="first")

    assert run_until_empty(queue, handler) == Tally(completed=2)
    assert seen == ["first", "second"]


def test_delayed_jobs_may_be_left_alone(queue: Queue) -> None:
    queue.enqueue({}, job_id="now")
    queue.enqueue({}, job_id="later", delay_s=60)

    assert run_until_empty(queue, Script(), with_delayed=False) == Tally(completed=1)
    later = queue.find_job("later")
    assert later is not None
    assert later.state is JobState.DELAYED


def test_other_lanes_may_be_left_alone(queue: Queue) -> None:
    queue.enqueue({}, job_id="mine", lane="one")
    queue.enqueue({}, job_id="other", lane="two")

    assert run_until_empty(queue, Script(), lanes=["one"]) == Tally(completed=1)
    other = queue.find_job("other")
    assert other is not None
    assert other.state is JobState.WAITING


def test_a_queue_that_never_gets_empty_ends_at_the_deadline_with_what_is_left(queue: Queue) -> None:
    def handler(delivery: Delivery) -> None:
        raise Snooze(60)

    queue.enqueue({}, job_id="eternal")

    with pytest.raises(
        QueueNotEmpty, match=r"After 0\.5 s .* 1 job is left: eternal \((delayed|waiting) in lane main"
    ) as caught:
        run_until_empty(queue, handler, deadline_s=0.5)

    assert [row.job_id for row in caught.value.left] == ["eternal"]
    assert caught.value.tally.snoozed > 1


def test_a_handler_that_listens_is_ended_by_the_deadline(queue: Queue) -> None:
    queue.enqueue({}, job_id="a")

    with pytest.raises(QueueNotEmpty, match=r"a \(waiting in lane main.*1 released"):
        run_until_empty(queue, lambda delivery: delivery.sleep(60), deadline_s=0.3)


def test_a_job_in_other_hands_is_named_with_its_holder(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({}, job_id="a")
    assert make_hands("someone").fetch().delivery is not None

    with pytest.raises(QueueNotEmpty, match=r"a \(active in lane main, 0 attempts, in the hands of someone\)"):
        run_until_empty(queue, Script(), deadline_s=0.3)


def test_a_paused_queue_is_named_as_the_reason(queue: Queue) -> None:
    queue.enqueue({}, job_id="a")
    with Steering(queue.redis_settings, queue.name, by="a test", reason="to see") as steering:
        steering.pause()

    with pytest.raises(QueueNotEmpty, match="The queue is paused by a test"):
        run_until_empty(queue, Script(), deadline_s=0.3)


def test_ctrl_c_ends_the_run_and_whatever_else_is_raised_is_a_failure(queue: Queue) -> None:
    queue.enqueue({}, job_id="a")

    with pytest.raises(KeyboardInterrupt):
        run_until_empty(queue, Script(KeyboardInterrupt()))

    assert run_until_empty(queue, Script(SystemExit(1))) == Tally(completed=1, retried=1)


def test_a_server_that_goes_away_is_told_as_itself(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="a")

    def handler(delivery: Delivery) -> None:
        own_redis.stop()

    with pytest.raises(rosq.ServerUnreachable):
        run_until_empty(own_queue, handler, deadline_s=1)


def test_the_queues_own_hooks_see_the_run(redis_server: RedisServer) -> None:
    class Counts(Hook):
        seen = 0

        def after_settle(self, *_: object) -> None:
            self.seen += 1

    hook = Counts()
    with temporary_queue(settings_of(redis_server), hooks=[hook]) as queue:
        queue.enqueue({}, job_id="a")
        run_until_empty(queue, Script())

    assert hook.seen == 1


def test_a_queue_that_hands_out_twice_is_run_too(redis_server: RedisServer, queue_name: str) -> None:
    with TwiceDeliveringQueue(settings_of(redis_server), queue_name) as queue:
        queue.enqueue({}, job_id="a")

        assert run_until_empty(queue, Script()) == Tally(completed=1)


# -- temporary_queue ---------------------------------------------------------------------------------------------------


def test_a_temporary_queue_leaves_nothing_behind(redis_server: RedisServer, client: redis.Redis, queue: Queue) -> None:
    queue.enqueue({}, job_id="neighbour")
    with temporary_queue(settings_of(redis_server), settings=QueueSettings(max_events=7)) as temporary:
        name = temporary.name
        assert temporary.settings.max_events == 7
        temporary.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(1_100)])
        temporary.enqueue({}, job_id="later", delay_s=60, lane="own")
        run_until_empty(temporary, Script(Fail("no")), with_delayed=False)
        assert client.sismember(QUEUES, name)

    assert list(client.scan_iter(match=f"*{name}*")) == []
    assert not client.sismember(QUEUES, name)
    assert queue.find_job("neighbour") is not None


def test_a_temporary_queue_is_deleted_when_its_test_fails(redis_server: RedisServer, client: redis.Redis) -> None:
    with pytest.raises(ZeroDivisionError), temporary_queue(settings_of(redis_server)) as temporary:
        temporary.enqueue({}, job_id="a")
        raise ZeroDivisionError

    assert list(client.scan_iter(match=f"*{temporary.name}*")) == []


# -- the how-to --------------------------------------------------------------------------------------------------------


def test_the_code_of_the_how_to_passes_as_it_stands(redis_server: RedisServer, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    assert {name for name, _ in blocks} == {"conftest.py", "handlers.py", "test_handlers.py"}
    for name, code in blocks:
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(code)
    # Other tests leave keys there that are no text.
    at = redis_server
    raw = redis.Redis(host=at.host, port=at.port, db=at.db, username=at.username, password=at.password)
    before = set(raw.scan_iter(match="rosq:{test-*"))
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, **redis_server.env()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    count = len(re.findall(r"^def test_", "".join(code for _, code in blocks), re.MULTILINE))
    assert f"{count} passed" in ran.stdout
    with raw:
        assert set(raw.scan_iter(match="rosq:{test-*")) <= before
