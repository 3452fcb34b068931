"""Who takes a worker's name doesn't take its job, nor begin another, while the last holder's lease stands; unless that
one is proven dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rosq import Delivery, JobState, NewJob, Queue, WorkerSettings
from rosq.execution.fetching import Fetched
from rosq.execution.settlement import Outcome, Settlement
from rosq.scripts.loader import Code
from tests.integration.rosq.conftest import Hands, Running, events_of, let_lease_run_out
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis


def take(hands: Hands, *lanes: str) -> Delivery:
    delivery = hands.fetch(*lanes).delivery
    assert delivery is not None
    return delivery


def settle(hands: Hands, delivery: Delivery) -> Code:
    settlement = Settlement(delivery=delivery, outcome=Outcome.COMPLETE)
    return hands.consumer.settle_over(hands.consumer.wire, settlement)


def lose_the_hold(client: Any, queue: Queue, name: str = "w1") -> None:
    """As it runs out before the lease of a job that was fetched just before a heartbeat that never came."""
    client.delete(queue.keys.worker(name))


@pytest.fixture
def cut_off(queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]) -> tuple[Hands, Delivery]:
    """A holder whose name is free and whose job's lease stands."""
    queue.enqueue_many([NewJob(job_id=job_id, data={}) for job_id in ("1", "2")])
    hands = make_hands("w1")
    delivery = take(hands)
    lose_the_hold(client, queue)
    return hands, delivery


def test_the_job_of_a_cut_off_holder_is_left_to_it_and_nothing_is_begun_beside_it(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], cut_off: tuple[Hands, Delivery]
) -> None:
    standby = make_hands("w1")

    for _ in range(2):
        answer = standby.fetch()

        assert (answer.fetched, answer.delivery) == (Fetched.OCCUPIED, None)
        assert 0 < answer.rest_s <= 30
    # The holder's own end of it counts, and then the name is the standby's alone.
    assert settle(*cut_off) is Code.HELD
    assert take(standby).job_id == "2"
    assert "crashed" not in events_of(client, queue)


def test_a_lane_that_the_standby_doesnt_read_is_looked_into_too(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1", lane="@a")
    queue.enqueue({}, job_id="2")
    holder = make_hands("w1")
    take(holder, "@a")
    lose_the_hold(client, queue)

    assert make_hands("w1").fetch("main").fetched is Fetched.OCCUPIED


def test_the_standby_takes_the_job_up_when_the_lease_has_run_out(
    queue: Queue, client: Any, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    holder = make_hands("w1", lease_s=0.5)
    stale = take(holder)
    lose_the_hold(client, queue)
    standby = make_hands("w1")
    assert standby.fetch().fetched is Fetched.OCCUPIED
    let_lease_run_out(client, queue, "1")

    fresh = take(standby)

    assert (fresh.job_id, fresh.crashes) == ("1", 1)
    assert settle(holder, stale) is Code.LOST


def test_a_holder_that_is_back_renews_and_the_standby_goes_on_waiting(
    queue: Queue, client: Any, make_hands: Callable[..., Hands], start_worker: Callable[..., Running]
) -> None:
    # Given a holder whose name another process has taken meanwhile, and who is at work still
    is_over = False

    def handler(delivery: Delivery) -> None:
        while not is_over:
            delivery.sleep(0.01)

    times = WorkerSettings(lease_s=0.6, round_s=0.1)
    queue.enqueue({}, job_id="1")
    running = start_worker(queue, handler, settings=times)
    wait_until(lambda: events_of(client, queue, "1")[-1:] == ["started"], "the job to begin")
    lose_the_hold(client, queue)
    standby = make_hands("w1")

    # When its lease would have run out twice without its heartbeats
    first_ms = float(client.hget(queue.keys.job("1"), "lease_until_ms"))
    wait_until(
        lambda: float(client.hget(queue.keys.job("1"), "lease_until_ms")) > first_ms + 1200, "the lease to be renewed"
    )

    # Then it has the job still, and ends it
    assert standby.fetch().fetched is Fetched.OCCUPIED
    is_over = True
    wait_until(lambda: events_of(client, queue, "1")[-1:] == ["completed"], "the end of the job")
    assert standby.fetch().fetched is Fetched.NONE
    running.worker.request_stop()


def test_a_proven_death_hands_the_job_over_at_once_though_the_hold_was_gone_already(
    client: redis.Redis, make_hands: Callable[..., Hands], cut_off: tuple[Hands, Delivery]
) -> None:
    dead, stale = cut_off
    restarted = make_hands("w1", is_holding=False)
    assert restarted.take_name(["some-other", dead.consumer.instance]) is None

    fresh = take(restarted)

    assert (fresh.job_id, fresh.crashes) == ("1", 1)
    assert settle(dead, stale) is Code.LOST


def test_the_proof_against_one_process_is_none_against_another(
    client: redis.Redis, queue: Queue, make_hands: Callable[..., Hands], cut_off: tuple[Hands, Delivery]
) -> None:
    # Given a hold with a proof that names somebody else
    dead = make_hands("w1")
    restarted = make_hands("w1", is_holding=False)
    assert restarted.take_name([dead.consumer.instance]) is None

    assert restarted.fetch().fetched is Fetched.OCCUPIED


def test_a_job_that_is_called_off_while_a_standby_waits_is_still_its_holders_to_end(
    queue: Queue, make_hands: Callable[..., Hands], cut_off: tuple[Hands, Delivery]
) -> None:
    queue.cancel("1", by="ann", reason="a test")
    standby = make_hands("w1")

    assert standby.fetch().fetched is Fetched.OCCUPIED

    assert queue.find_jobs(["1"])["1"].state is JobState.ACTIVE
    assert settle(*cut_off) is Code.HELD


def test_a_worker_whose_name_is_occupied_says_so_and_stops_when_it_is_asked_to(
    caplog: pytest.LogCaptureFixture,
    queue: Queue,
    start_worker: Callable[..., Running],
    cut_off: tuple[Hands, Delivery],
) -> None:
    ran: list[str] = []
    with caplog.at_level("INFO", "rosq"):
        running = start_worker(queue, lambda delivery: ran.append(delivery.job_id))
        wait_until(lambda: "name_occupied" in [getattr(each, "event", "") for each in caplog.records], "the worker")
        rounds = running.worker.last_round_age_s
        wait_until(lambda: rounds() > 0.5, "a rest")
        wait_until(lambda: rounds() < 0.1, "the next look")
        running.stop(5)

    assert running.error is None
    assert ran == []
    assert [getattr(each, "event", "") for each in caplog.records].count("name_occupied") == 1
