"""The repair beside living workers: at a second look, in slices, and never what is sound."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import tenacity

from rosq import NewJob, Queue, Release, RetryPolicy, Snooze, WorkerSettings
from rosq.maintenance.half_states import Finding, HalfState
from rosq.maintenance.repair import Repair, Repaired
from tests.integration.rosq.breaking import (
    LONG,
    SHORT,
    Bench,
    find_all,
    hold_for_ever,
    lose_entry_of_waiting,
    make_repair,
)
from tests.integration.rosq.conftest import events_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from rosq.connection.wire import Wire
    from tests.integration.rosq.conftest import Running

# -- in the background -------------------------------------------------------------------------------------------------


def make_a_pass(mender: Repair) -> Repaired:
    """Go on until the walk is at its end; other tests' keys lie on the same server."""
    slices = [mender.run_once(60)]
    while not slices[-1].is_pass_over:
        slices.append(mender.run_once(60))
    return Repaired(
        found=dict(sum((collections.Counter(each.found) for each in slices), collections.Counter[HalfState]())),
        mended=dict(sum((collections.Counter(each.mended) for each in slices), collections.Counter[HalfState]())),
        looked_at=sum(each.looked_at for each in slices),
        is_pass_over=True,
    )


def test_the_background_mends_at_a_second_look_and_not_before(bench: Bench, queue: Queue, wire: Wire) -> None:
    lose_entry_of_waiting(bench)
    patient = make_repair(queue, wire, rest_s=3_600)

    first, second = make_a_pass(patient), make_a_pass(patient)

    assert (first.found, first.mended) == ({HalfState.NO_ENTRY: 1}, {})
    assert (second.found, second.mended) == ({}, {})
    # Its time has come.
    [(text, score)] = bench.client.zrange(queue.keys.suspects, 0, -1, withscores=True)
    bench.client.zadd(queue.keys.suspects, {text: score - 3_600_000})
    third = patient.run_once()
    assert dict(third.mended) == {HalfState.NO_ENTRY: 1}
    assert bench.client.exists(queue.keys.suspects) == 0
    assert events_of(bench.client, queue, "1") == ["enqueued", "repaired"]


def test_a_lease_without_a_worker_rests_longer_than_what_one_look_proves(
    bench: Bench, queue: Queue, wire: Wire
) -> None:
    hold_for_ever(bench)
    patient = make_repair(queue, wire, lease_rest_s=3_600)

    assert make_a_pass(patient).found == {HalfState.LEASE_WITHOUT_WORKER: 1}
    assert make_a_pass(patient).mended == {}
    assert bench.field("state") == "active"


def test_between_two_passes_the_walk_rests_and_second_looks_go_on(bench: Bench, queue: Queue, wire: Wire) -> None:
    bench.enqueue("other")
    resting = make_repair(queue, wire, pass_rest_s=3_600)
    # Its hash and its entry.
    assert make_a_pass(resting).looked_at == 2
    assert 3_590_000 < bench.client.pttl(queue.keys.repair) <= 3_600_000

    lose_entry_of_waiting(bench)
    assert resting.run_once().looked_at == 0
    [finding] = find_all(resting)
    bench.client.zadd(queue.keys.suspects, {finding.to_text(): 1})
    assert dict(resting.run_once().mended) == {HalfState.NO_ENTRY: 1}
    assert 3_580_000 < bench.client.pttl(queue.keys.repair) <= 3_600_000


def test_notes_of_another_rosq_keep_nothing_from_being_done(
    bench: Bench, queue: Queue, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    lose_entry_of_waiting(bench)
    bench.client.set(queue.keys.repair, '["attics", "", ""]')
    bench.client.zadd(queue.keys.suspects, {'["haunted", "1", "main", "", ""]': 1})
    mender = make_repair(queue, wire)

    # A pass takes several calls where other tests' keys lie on the server: its first ones note what its last ones mend.
    done = [make_a_pass(mender), make_a_pass(mender)]
    assert sum((collections.Counter(each.found) for each in done), collections.Counter()) == {HalfState.NO_ENTRY: 1}
    assert sum((collections.Counter(each.mended) for each in done), collections.Counter()) == {HalfState.NO_ENTRY: 1}
    assert [getattr(record, "event", "") for record in caplog.records].count("mend_failed") == 1


def test_any_worker_goes_on_where_the_last_one_stopped_and_the_whole_queue_is_gone_through(
    queue: Queue, client: Any, wire: Wire
) -> None:
    count = 5_000
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(count)])
    broken = [str(number) for number in range(0, count, 500)]
    for job_id in broken:
        client.xdel(queue.keys.lane("main"), client.hget(queue.keys.job(job_id), "entry_id"))

    calls, is_over, found = 0, False, 0
    while not is_over:
        # A repair of its own each time, as if each worker made one slice.
        done = make_repair(queue, wire, rest_s=3_600).run_once(60)
        calls, is_over, found = calls + 1, done.is_pass_over, found + sum(done.found.values())
        # Ten steps of SCAN, which may give some more than it is asked for.
        assert done.looked_at < 10 * 100 + 500

    assert found == len(broken)
    assert calls >= 2 * count / (10 * 100)


def test_suspects_are_bounded_and_a_broken_one_does_not_keep_the_others_waiting(
    queue: Queue, client: Any, wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rosq.maintenance.repair._MAX_SUSPECTS", 3)
    queue.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(10)])
    client.delete(queue.keys.lane("main"))
    mender = make_repair(queue, wire, rest_s=3_600)

    make_a_pass(mender)
    assert client.zcard(queue.keys.suspects) == 3
    first, *others = client.zrange(queue.keys.suspects, 0, -1)
    client.zadd(queue.keys.suspects, {first: 1, **dict.fromkeys(others, 2)})
    broken = queue.keys.job(Finding.from_text(first).job_id)
    client.hset(broken, "crashes", "many")
    done = mender.run_once()

    assert sum(done.mended.values()) == 2
    assert [record.event for record in caplog.records].count("mend_failed") == 1  # type: ignore[attr-defined]


def test_a_worker_mends_by_itself_and_runs_the_job(bench: Bench, start_worker: Callable[..., Running]) -> None:
    lose_entry_of_waiting(bench)
    done: list[str] = []

    start_worker(
        bench.queue, lambda delivery: done.append(delivery.job_id), name="w2", settings=WorkerSettings(lease_s=0.6)
    )

    wait_until(lambda: done == ["1"], "the job is run", timeout_s=20)
    assert "repaired" in events_of(bench.client, bench.queue, "1")


def test_a_lane_of_another_type_is_logged_and_the_sweep_goes_on(
    queue: Queue, client: Any, start_worker: Callable[..., Running], caplog: pytest.LogCaptureFixture
) -> None:
    client.set(queue.keys.lane("odd"), "text")

    start_worker(queue, lambda _: None, name="w2", settings=WorkerSettings(lease_s=0.6))

    wait_until(
        lambda: any(getattr(record, "event", "") == "repair_failed" for record in caplog.records), "it is logged"
    )


# -- under load --------------------------------------------------------------------------------------------------------


def test_a_living_queue_is_never_taken_for_a_broken_one(
    queue: Queue, client: Any, wire: Wire, start_worker: Callable[..., Running]
) -> None:
    """Workers complete, retry, snooze, release and fail while jobs come, move and are steered: nothing of it is a
    half-state at any instant at which the repair looks."""
    count = 2_000
    done: set[str] = set()

    def handle(delivery: Any) -> None:
        number = int(delivery.job_id)
        is_first = client.hincrby(f"test-seen:{queue.name}", delivery.job_id, 1) == 1
        if is_first and number % 7 == 0:
            raise Snooze(0.01)
        if is_first and number % 11 == 0:
            raise Release("@a")
        if is_first and number % 13 == 0:
            raise RuntimeError("broken")
        done.add(delivery.job_id)

    policy = RetryPolicy(wait=tenacity.wait_fixed(0.01))
    for number in range(3):
        start_worker(queue, handle, name=f"w{number}", lanes=["main", "@a"], policy=policy)
    mender = make_repair(queue, wire)
    rounds = 0
    for start in range(0, count, 200):
        data = SHORT if start % 400 else LONG
        queue.enqueue_many([NewJob(job_id=str(number), data=data) for number in range(start, start + 200)])
        queue.move(str(start + 199), from_lane="main", to_lane="@a")
        assert find_all(mender) == []
        assert not mender.run_once().found
        rounds += 1
    while len(done) < count and rounds < 2_000:
        assert find_all(mender) == []
        rounds += 1

    assert len(done) == count
    assert "repaired" not in events_of(client, queue)
    assert client.zcard(queue.keys.suspects) == 0
