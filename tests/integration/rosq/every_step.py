"""Everything that rosq asks of a server, asked once: every script, and every view of `rosq inspect`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from rosq import (
    Cancel,
    Delivery,
    Fail,
    JobState,
    NewJob,
    Queue,
    QueueSettings,
    RedisSettings,
    Release,
    RetryPolicy,
    Snooze,
    Worker,
    WorkerSettings,
)
from rosq.execution.fetching import load_step
from rosq.inspect import Inspector
from rosq.inspect import events as tail
from rosq.inspect.jobs.filters import JobFilter
from rosq.mend.repair import Repair
from rosq.scripts import loader
from rosq.steering import Steering
from rosq.store.keys import SCHEMA_VERSION, Keys
from tests.integration.rosq.conftest import Hands, Running
from tests.waiting import wait_until

if TYPE_CHECKING:
    import redis

#: Nothing is kept for long, so that the sweep has something to forget.
_FORGETFUL = QueueSettings(
    remember_s=0.2,
    keep_completed_s=0.2,
    keep_failed_s=1.0,
    keep_cancelled_s=0.2,
    crash_pause_s=0.0,
    forget_worker_s=0.2,
    keep_empty_lanes_s=0.2,
)
_TIMES = WorkerSettings(lease_s=0.3, round_s=0.5, max_backoff_s=0.3)
_LONG = "x" * 100


class Handler:
    """Ends as the data say; all but `fail` complete in the end."""

    def __init__(self) -> None:
        self._snoozed = False

    def __call__(self, delivery: Delivery) -> None:
        end = delivery.data.get("end")
        if end == "cancel":
            delivery.log("cancelled as asked")
            raise Cancel("as asked")
        if end == "fail":
            raise Fail("as asked")
        if end == "retry" and delivery.attempt == 1:
            raise ValueError("as asked")
        if end == "snooze" and not self._snoozed:
            self._snoozed = True
            raise Snooze(0.05)
        if end == "release" and delivery.lane == "main":
            raise Release("urgent")
        delivery.sleep(0.02)


def run_every_step(
    settings: RedisSettings,
    name: str,
    admin: redis.Redis,
    *,
    operator: RedisSettings | None = None,
    reader: RedisSettings | None = None,
) -> None:
    """Put the queue `name` through every script; wait until each has run and all jobs have come to an end.

    Args:
        admin: Asks the server that has the queue which scripts it knows, and has the rights to.
        operator: Who steers, where that is another user; and `reader` who only looks.
    """
    hand = Steering(operator or settings, name, by="a test", reason="to see it")
    with Queue(settings, name, _FORGETFUL) as queue, hand:
        # What only a person does
        queue.enqueue_many([NewJob(job_id=f"hand-{number}", data={"pad": _LONG}) for number in range(4)])
        queue.enqueue({}, job_id="later", delay_s=3600)
        queue.ping()
        assert queue.move("hand-0", from_lane="main", to_lane="urgent")
        assert hand.pause() is None
        assert hand.resume()
        hand.promote(list(hand.see(["later"]).values()))
        hand.remove(list(hand.see(["hand-1"]).values()), remember_s=0.2)
        assert queue.cancel("hand-2", by="a test", reason="to see it").fate == "done"
        # It leaves a lane behind that nobody reads.
        queue.enqueue({}, job_id="elsewhere", lane="nobodys")
        assert queue.move("elsewhere", from_lane="nobodys", to_lane="main")
        assert hand.drain(remember_s=0.2) == 4
        admin.zadd(queue.keys.completed, {"gone": 1})
        assert hand.forget(JobState.COMPLETED, 1, remember_s=0.2) == 1

        _break_and_repair(Queue(operator or settings, name, _FORGETFUL), admin)

        # A job whose holder is gone, for the sweep
        queue.enqueue({"pad": _LONG}, job_id="abandoned")
        hands = Hands(queue, "gone", 0.3, _FORGETFUL)
        assert hands.consumer.hold_name() is None
        assert hands.fetch().delivery is not None
        hands.close()

        # Workers do the rest, with a sweep every tenth of a second
        handler = Handler()
        workers = [_start(queue, handler, worker) for worker in ("w1", "w2")]
        try:
            ends = ("complete", "fail", "retry", "snooze", "release", "cancel")
            queue.enqueue_many([NewJob(job_id=end, data={"end": end, "pad": _LONG}) for end in ends])
            queue.enqueue({}, job_id="delayed", delay_s=0.1)
            wait_until(lambda: (job := queue.find_job("fail")) and job.state == "failed", "the failed job")
            assert [each.fate for each in hand.retry(list(hand.see(["fail"]).values()))] == ["done"]
            _look_at_everything(reader or settings, name)
            _examine_what_is_wrong(reader or settings, queue.keys, admin)
            queue.reopen(NewJob(job_id="reopened", data={"pad": _LONG}))
            wait_until(lambda: not list(admin.scan_iter(match=f"{queue.keys.job_prefix}*")), "all to be forgotten", 15)
            wait_until(lambda: _list_missing(admin) <= {"leave"}, "each script to have run", 15)
        finally:
            for running in workers:
                running.stop()
        for running in workers:
            assert running.error is None
        assert _list_missing(admin) == set()


def _break_and_repair(queue: Queue, admin: redis.Redis) -> None:
    """One half-state for each mend: broken by hand, as nothing of ours breaks it."""
    keys = queue.keys
    with queue, contextlib.closing(queue.make_wire("rosq-repair")) as wire:
        queue.enqueue_many([NewJob(job_id=f"broken-{n}", data={}, lane="urgent" if n else "main") for n in range(2)])
        admin.xtrim(keys.lane("main"), maxlen=0)
        admin.xadd(keys.lane("main"), {"job_id": "nobody"})
        admin.srem(keys.lanes, "urgent")
        admin.zadd(keys.delayed, {"nobody": 1})
        admin.hset(
            keys.job("finished"), mapping={"state": "completed", "lane": "main", "finished_at_ms": 1, "data": "{}"}
        )
        admin.hset(keys.job("lost"), mapping={"state": "waiting", "entry_id": "1-1"})
        admin.hset(keys.job("odd"), mapping={"state": "completed", "finished_at_ms": "x", "data": "{}"})
        admin.hset(keys.meta, "failed_total", "x")
        admin.set(keys.job("text"), "not ours")
        admin.set(keys.timer_bell + "s", "not ours")
        repair = Repair(keys=keys, wire=wire, kept=_FORGETFUL, by="a test", reason="to see it")
        mended: set[str] = set()
        for page in repair.go_through():
            mended |= {finding.kind.name for finding in page.findings if repair.mend(finding)}
        assert {"DATA_LOST", "FOREIGN_KEY", "MALFORMED", "UNREADABLE_FIELD", "UNREADABLE_META"} <= mended
        assert len(mended) >= 9, mended
        # What is put aside stays until somebody has looked at it.
        for aside in admin.scan_iter(match=f"{keys.aside_prefix}*"):
            admin.delete(aside)
        queue.close()


def _list_missing(admin: redis.Redis) -> set[str]:
    return {name for name in loader.list_names() if not any(_ask_for_scripts(admin, _list_shas(name)))}


def _list_shas(name: str) -> list[str]:
    """A script that is told its settings as constants is another one with others: those that were used here."""
    with_constants = {
        "enqueue": lambda: loader.load("enqueue", MAX_EVENTS=_FORGETFUL.max_events, SCHEMA_VERSION=SCHEMA_VERSION)
    }
    make = with_constants.get(name, lambda: load_step(name, _FORGETFUL, _TIMES))
    by_hand = loader.load(name, KEEP_DELIVERIES=_FORGETFUL.keep_deliveries)
    return [loader.load(name).sha, make().sha, by_hand.sha]


def _ask_for_scripts(admin: redis.Redis, shas: list[str]) -> list[bool]:
    known: list[bool] = admin.script_exists(*shas)
    return known


def _start(queue: Queue, handle: Handler, name: str) -> Running:
    policy = RetryPolicy(wait=lambda _: 0.05)
    worker = Worker(
        queue, handle, name=name, lanes=("urgent", "main"), settings=_TIMES, policy=policy, leave_process=lambda: None
    )
    running = Running(worker)
    running.thread.start()
    return running


def _examine_what_is_wrong(settings: RedisSettings, keys: Keys, admin: redis.Redis) -> None:
    """The doctor asks more where a finished job is on no list. A sweep may have listed it by then."""
    unlisted = keys.job("unlisted")
    admin.hset(unlisted, mapping={"state": "completed", "finished_at_ms": 1, "data": "{}"})
    with Inspector(settings) as inspector:
        inspector.examine(keys.queue, scan=1000)
    admin.delete(unlisted)


def _look_at_everything(settings: RedisSettings, name: str) -> None:
    with Inspector(settings) as inspector:
        assert name in inspector.list_queues()
        inspector.look_at_all(limit=10)
        inspector.view_job(name, "fail", with_data=True)
        inspector.explain(name, "fail")
        inspector.list_jobs(name, JobFilter())
        inspector.list_pending(name, limit=10)
        inspector.group_errors(name, since_s=None, by_text=True, scan=100)
        following = tail.Tail(Keys(name), inspector.last_event_id(name))
        inspector.list_events(name, tail.EventFilter(), limit=10)
        inspector.catch(following, block_ms=10)
        inspector.view_throughput(name, step_s=60, steps=3)
        told: Any = inspector.examine(name, scan=1000)
        assert not told.is_inconsistent
