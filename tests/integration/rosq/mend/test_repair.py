"""Half-states, each made by hand on a real server: the doctor tells of it, the repair mends it once, its job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from rosq import JobState, NewJob
from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement
from rosq.inspect.doctor.key_check import TOLD
from rosq.mend.half_states import ENTRY_KINDS, FoundHalfState, HalfState
from rosq.mend.repair import _SCRIPTS, Repair
from rosq.names import MAIN_LANE
from rosq.scripts import loader
from tests.integration.rosq.breaking import (
    LONG,
    Bench,
    Told,
    dump,
    each_case,
    find_all,
    lose_due_time,
    lose_entry_of_waiting,
    repair,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.rosq.conftest import Hands, Running
    from tests.servers import RedisServer


def run_to_its_end(bench: Bench, start_worker: Callable[..., Running], *job_ids: str) -> list[Any]:
    """Let a worker work until these jobs are completed; return the data that the handler was given."""
    given: list[Any] = []
    # Another name: what the broken holder's was is nobody's business any more.
    start_worker(bench.queue, lambda delivery: given.append(delivery.data), name="w2")
    wait_until(
        lambda: all((job := bench.queue.find_job(job_id)) and job.state is JobState.COMPLETED for job_id in job_ids),
        "the jobs are completed",
    )
    return given


# -- told, mended, run -------------------------------------------------------------------------------------------------


@each_case
def test_a_half_state_is_told_by_the_doctor_and_mended_once_and_its_job_runs_to_its_end(
    redis_server: RedisServer,
    bench: Bench,
    start_worker: Callable[..., Running],
    break_it: Callable[[Bench], None],
    kinds: set[str],
    mend: str,
) -> None:
    break_it(bench)
    queue, client = bench.queue, bench.client
    fence = int(bench.field("fence") or 0)

    seen = "\n".join(
        each["seen"] for each in Told(redis_server, queue, "doctor").json["findings"] if each["subject"] == "keys"
    )
    before = dump(client, queue)
    dry = repair(redis_server, queue, "--dry-run")
    after_dry = dump(client, queue)
    mended = repair(redis_server, queue, "--why", "a test")
    again = repair(redis_server, queue, "--why", "a test")

    assert all(f"({kind})" in seen for kind in kinds), seen
    assert (set(dry.json["found"]), dry.exit_code) == (kinds, 4)
    assert after_dry == before
    assert (mended.exit_code, mended.json["left"]) == (0, {})
    assert (again.json["found"], again.json["mended"], again.exit_code) == ({}, {}, 0)
    told = [fields for _, fields in client.xrange(queue.keys.events) if fields["event"] == "repaired"]
    assert mend in {fields["mend"] for fields in told}
    assert {fields["kind"] for fields in told} <= kinds
    assert {fields["reason"] for fields in told} == {"a test"}
    assert Told(redis_server, queue, "doctor").exit_code in (0, 1)
    assert bench.data in run_to_its_end(bench, start_worker, "1")
    job = queue.find_job("1")
    assert job is not None
    assert job.fence > fence


def test_a_job_taken_from_an_active_half_state_counts_as_crashed_and_its_late_holder_is_refused(
    bench: Bench, mender: Repair
) -> None:
    bench.enqueue()
    delivery = bench.take()
    bench.client.xgroup_delconsumer(bench.queue.keys.lane("main"), "workers", "w1")
    bench.expire_lease()

    assert [mender.mend(finding) for finding in find_all(mender)] == [True]

    job = bench.queue.find_job("1")
    assert job is not None
    assert (job.state, job.crashes, job.attempts, job.data) == (JobState.WAITING, 1, 0, bench.data)
    late = bench.hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), (), is_fetching=False)
    assert late.code == -1
    assert bench.queue.find_job("1") == job


@pytest.mark.parametrize("is_handed_out", [True, False])
def test_an_entry_without_a_job_is_rebuilt_where_it_carries_the_data_and_dropped_where_it_does_not(
    redis_server: RedisServer, bench: Bench, start_worker: Callable[..., Running], is_handed_out: bool
) -> None:
    bench.enqueue()
    if is_handed_out:
        bench.take()
    bench.client.delete(bench.queue.keys.job("1"))

    told = repair(redis_server, bench.queue, "--why", "a test")

    assert told.json["mended"] == {"entry_without_job": 1}
    assert repair(redis_server, bench.queue, "--why", "a test").json["found"] == {}
    if bench.data == LONG:
        assert run_to_its_end(bench, start_worker, "1") == [LONG]
    assert bench.client.xlen(bench.queue.keys.lane("main")) == 0


def test_an_entry_of_nobody_is_dropped(redis_server: RedisServer, bench: Bench) -> None:
    bench.enqueue()
    bench.client.xadd(bench.queue.keys.lane("main"), {"what": "ever", "data": "{}"})

    assert repair(redis_server, bench.queue, "--why", "a test").json["mended"] == {"entry_without_job": 1}
    assert bench.client.xlen(bench.queue.keys.lane("main")) == 1


def test_an_entry_of_a_finished_job_is_dropped_even_where_the_job_still_names_it(
    redis_server: RedisServer, bench: Bench
) -> None:
    bench.enqueue()
    bench.finish()
    entry_id = bench.client.xadd(bench.queue.keys.lane("main"), {"job_id": "1", "data": "{}"})
    bench.set(entry_id=entry_id)

    assert repair(redis_server, bench.queue, "--why", "a test").json["mended"] == {"stray_entry": 1}
    assert bench.client.xlen(bench.queue.keys.lane("main")) == 0
    assert bench.field("state") == "completed"


def test_a_dead_job_that_waits_again_under_a_stray_entry_keeps_its_own_data(bench: Bench, mender: Repair) -> None:
    lose_entry_of_waiting(bench)
    bench.client.xadd(bench.queue.keys.lane("main"), {"job_id": "1", "data": '{"before": "it was reopened"}'})
    [stray] = [finding for finding in find_all(mender) if finding.kind is HalfState.STRAY_ENTRY]

    assert mender.mend(stray)

    assert bench.take().data == bench.data
    assert find_all(mender) == []


def test_an_entry_in_another_lane_is_stray_even_where_its_id_is_the_same(bench: Bench, mender: Repair) -> None:
    bench.enqueue()
    bench.client.sadd(bench.queue.keys.lanes, "other")
    bench.client.xadd(bench.queue.keys.lane("other"), {"job_id": "1"}, id=bench.field("entry_id"))

    [finding] = find_all(mender)

    assert (finding.kind, finding.lane) == (HalfState.STRAY_ENTRY, "other")
    assert mender.mend(finding)
    assert bench.take().lane == "main"
    assert find_all(mender) == []


def test_a_pending_entry_that_was_deleted_is_acknowledged_and_its_holder_goes_on(
    redis_server: RedisServer, bench: Bench
) -> None:
    bench.enqueue()
    delivery = bench.take()
    bench.set_data()
    lane = bench.queue.keys.lane("main")
    bench.client.xdel(lane, delivery.hold.handed.entry_id)

    assert repair(redis_server, bench.queue, "--why", "a test").json["mended"] == {"vanished_entry": 1}

    assert bench.client.xpending(lane, "workers")["pending"] == 0
    settlement = Settlement(delivery=delivery, outcome=Outcome.COMPLETE)
    assert bench.hands.consumer.exchange(settlement, (), is_fetching=False).code == 1


def test_a_due_time_and_a_finished_member_without_a_job_are_removed(redis_server: RedisServer, bench: Bench) -> None:
    keys = bench.queue.keys
    bench.enqueue()
    bench.client.zadd(keys.delayed, {"gone": 9e12})
    bench.client.zadd(keys.completed, {"gone too": 1})
    bench.client.zadd(keys.failed, {"gone too": 1})

    told = repair(redis_server, bench.queue, "--why", "a test")

    assert told.json["mended"] == {"stray_due_time": 1, "stray_member": 1}
    assert [bench.client.zcard(key) for key in (keys.delayed, keys.completed, keys.failed)] == [0, 0, 0]


@pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.FAIL])
def test_a_finished_job_that_no_set_lists_is_listed_with_its_own_time(
    redis_server: RedisServer, bench: Bench, outcome: Outcome
) -> None:
    bench.enqueue()
    bench.finish(outcome)
    key = bench.queue.keys.completed if outcome is Outcome.COMPLETE else bench.queue.keys.failed
    bench.client.zrem(key, "1")

    assert repair(redis_server, bench.queue, "--why", "a test").json["mended"] == {"not_listed": 1}
    assert bench.client.zrange(key, 0, -1, withscores=True) == [("1", float(bench.field("finished_at_ms")))]


def test_jobs_without_data_and_what_isnt_a_job_are_put_aside(redis_server: RedisServer, bench: Bench) -> None:
    bench.enqueue()
    bench.client.hdel(bench.queue.keys.job("1"), "data")
    bench.drop_entry()
    bench.set("odd", what="ever")
    bench.client.set(bench.queue.keys.job("text"), "ever")

    told = repair(redis_server, bench.queue, "--why", "a test")

    assert (told.json["left"], told.json["mended"], told.exit_code) == ({}, {"data_lost": 1, "malformed": 2}, 0)
    assert bench.queue.find_jobs(["1", "odd", "text"]) == {}
    assert bench.client.hget(find_aside(bench, "job:1"), "state") == "waiting"
    assert bench.client.get(find_aside(bench, "job:text")) == "ever"
    assert bench.client.hgetall(find_aside(bench, "job:odd")) == {"what": "ever"}
    assert Told(redis_server, bench.queue, "doctor").exit_code == 0
    # Who has its data can put it back, as any job that the queue doesn't know.
    bench.enqueue()
    assert bench.take().job_id == "1"


def find_aside(bench: Bench, name: str) -> str:
    """Where a key of the queue was put aside."""
    [found] = bench.client.scan_iter(match=f"{bench.queue.keys.aside_prefix}*:{name}")
    return str(found)


def test_nothing_but_keys_in_the_way_is_told_by_a_dry_run_and_nothing_is_changed(
    redis_server: RedisServer, bench: Bench
) -> None:
    bench.enqueue()
    bench.client.delete(bench.queue.keys.delayed)
    bench.client.set(bench.queue.keys.delayed, "ever")

    told = repair(redis_server, bench.queue, "--dry-run")

    assert (told.json["found"], told.exit_code) == ({"foreign_key": 1}, 4)
    assert "Nothing else could be looked at" in told.json["text"]
    assert bench.client.get(bench.queue.keys.delayed) == "ever"


def test_a_lane_that_is_not_listed_counts_once_whatever_lies_in_it(redis_server: RedisServer, bench: Bench) -> None:
    for number in range(20):
        bench.enqueue(str(number), delay_s=number % 2 * 500)
    lose = bench.client.srem(bench.queue.keys.lanes, "main")

    told = repair(redis_server, bench.queue, "--dry-run")

    assert lose == 1
    assert told.json["found"] == {"lane_not_listed": 1}
    assert repair(redis_server, bench.queue, "--why", "a test").json["mended"] == {"lane_not_listed": 1}


# -- what is sound is never touched ------------------------------------------------------------------------------------


def make_sound_jobs(bench: Bench, make_hands: Callable[..., Hands]) -> list[str]:
    """One job in each state in which a job can be."""
    bench.enqueue("completed")
    bench.finish()
    bench.enqueue("failed")
    bench.finish(Outcome.FAIL)
    bench.enqueue("active")
    bench.take()
    bench.enqueue("expired")
    delivery = make_hands("w9").fetch().delivery
    assert delivery is not None
    # Its lease has run out: that is for recovery, which goes by time, or for itself when it comes back.
    bench.set("expired", lease_until_ms=1)
    bench.enqueue("waiting")
    bench.enqueue("other-lane", lane="@a")
    bench.enqueue("delayed", delay_s=500)
    bench.enqueue("overdue", delay_s=0.001)
    # A lane that was only ever read, and never had a job.
    make_hands("w8").fetch("only-read")
    return ["completed", "failed", "active", "expired", "waiting", "other-lane", "delayed", "overdue"]


def test_a_sound_queue_is_left_exactly_as_it_is(
    redis_server: RedisServer, bench: Bench, make_hands: Callable[..., Hands]
) -> None:
    make_sound_jobs(bench, make_hands)
    before = dump(bench.client, bench.queue)

    told = repair(redis_server, bench.queue, "--why", "a test")

    assert (told.json["found"], told.exit_code) == ({}, 0)
    assert dump(bench.client, bench.queue) == before


def test_no_mend_touches_a_sound_job_whatever_it_was_taken_for(
    bench: Bench, make_hands: Callable[..., Hands], mender: Repair
) -> None:
    job_ids = make_sound_jobs(bench, make_hands)
    places = {job_id: (bench.field("lane", job_id) or MAIN_LANE, bench.field("entry_id", job_id)) for job_id in job_ids}
    before = dump(bench.client, bench.queue)

    for kind in HalfState:
        for job_id, (lane, entry_id) in places.items():
            if kind in ENTRY_KINDS and entry_id is None:
                continue
            finding = FoundHalfState(kind=kind, job_id=job_id, lane=lane, entry_id=entry_id or "", mark="a:b")
            assert not mender.mend(finding), finding

    assert dump(bench.client, bench.queue) == before


@each_case
def test_a_mend_that_is_run_again_writes_nothing(
    bench: Bench,
    mender: Repair,
    break_it: Callable[[Bench], None],
    kinds: set[str],
    mend: str,
) -> None:
    break_it(bench)
    findings = find_all(mender)
    assert {finding.kind.value for finding in findings} == kinds

    assert any([mender.mend(finding) for finding in findings])
    once = dump(bench.client, bench.queue)

    assert not any([mender.mend(finding) for finding in findings])
    assert dump(bench.client, bench.queue) == once


def test_a_lease_whose_holder_beats_on_is_not_taken_away(bench: Bench, mender: Repair) -> None:
    bench.enqueue()
    delivery = bench.take()
    bench.client.delete(bench.queue.keys.worker("w1"))
    [finding] = find_all(mender)
    assert finding.kind is HalfState.LEASE_WITHOUT_WORKER

    keys = bench.queue.keys
    wire = bench.queue.make_wire("heartbeat")
    args: list[str | int] = ["w1", bench.hands.consumer.instance, 30_001, str(delivery.fence), delivery.token]
    script_keys = [keys.worker("w1"), keys.workers, keys.job("1"), keys.lane("main")]
    _, code = wire.run(loader.load("heartbeat"), script_keys, [*args, delivery.hold.handed.entry_id])
    wire.close()
    assert code == 1

    assert not mender.mend(finding)
    assert bench.field("state") == "active"


def test_a_half_state_that_came_right_before_the_mend_is_left_alone(bench: Bench, mender: Repair) -> None:
    lose_due_time(bench)
    [finding] = find_all(mender)
    bench.queue.reopen(NewJob(job_id="1", data=bench.data))
    before = dump(bench.client, bench.queue)

    assert not mender.mend(finding)
    assert dump(bench.client, bench.queue) == before


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_needs_a_reason_mends_only_the_kinds_it_is_told_and_says_who(
    redis_server: RedisServer, bench: Bench
) -> None:
    lose_due_time(bench)
    bench.enqueue("2")
    bench.client.zadd(bench.queue.keys.completed, {"2": 1.0})

    no_reason = repair(redis_server, bench.queue)
    some = repair(redis_server, bench.queue, "--kind", "stray_member", "--why", "a test", "--by", "me")
    wrong = repair(redis_server, bench.queue, "--kind", "nonsense", "--why", "a test")

    assert no_reason.exit_code == 2
    assert wrong.exit_code == 2
    assert (some.json["mended"], some.exit_code) == ({"stray_member": 1}, 0)
    told: Any = bench.client.xrevrange(bench.queue.keys.events, count=1)
    assert (told[0][1]["event"], told[0][1]["by"], told[0][1]["job_id"]) == ("repaired", "me", "2")
    assert repair(redis_server, bench.queue, "--dry-run").json["found"] == {"no_due_time": 1}


def test_the_command_speaks_to_people_and_says_how_far_it_is(
    redis_server: RedisServer, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rosq.commands.repair._PROGRESS_S", 0.0)
    lose_due_time(bench)
    env = {**redis_server.env(), "ROSQ_QUEUE": bench.queue.name}

    result = CliRunner().invoke(main, ["repair", "--why", "a test"], env=env)

    assert result.exit_code == 0
    assert "Mended 1 of 1 half-state in" in result.stdout
    assert "Jobs say that they are delayed, but have no due time (no_due_time): 1." in result.stdout
    assert "so far (keys now)" in result.stderr


def test_every_kind_is_told_and_has_a_mend() -> None:
    by_key = {HalfState.MALFORMED, HalfState.FOREIGN_KEY, HalfState.UNREADABLE_META}
    assert set(TOLD) == set(HalfState)
    assert set(_SCRIPTS) == set(HalfState) - by_key
    lua = loader.load("examine_entries").source + loader.load("mend_meta").source
    assert all(kind.value in lua for kind in set(HalfState) - {HalfState.FOREIGN_KEY})
