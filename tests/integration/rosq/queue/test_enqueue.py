"""Putting jobs on the queue, starting them again, moving them: enqueue, reopen, promote_due, move."""

from __future__ import annotations

import gc
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from rosq import (
    EnqueueOutcome,
    InvalidData,
    InvalidName,
    JobState,
    NewJob,
    Queue,
    QueueSettings,
    ReopenOutcome,
    ServerUnfit,
)
from rosq.execution.settlement import Outcome, Settlement
from rosq.maintenance.promoter import promote_due
from rosq.steering import Steering
from tests.integration.rosq.conftest import Hands, events_of
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis


LONG = {"text": "x" * 300}
_HOLDS_ITSELF: dict[str, Any] = {}
_HOLDS_ITSELF["x"] = _HOLDS_ITSELF


def new(job_id: str = "1", data: Any = None, **options: Any) -> NewJob:
    return NewJob(job_id=job_id, data={"order_id": 1} if data is None else data, **options)


# -- enqueue ------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
def test_the_same_id_twice_is_one_job_and_the_caller_learns_which_happened(
    queue: Queue, client: redis.Redis, data: Any
) -> None:
    first = queue.enqueue(data, job_id="1")
    second = queue.enqueue(data, job_id="1")
    third = queue.enqueue({"order_id": 2}, job_id="1")

    assert [first.outcome, second.outcome, third.outcome] == [
        EnqueueOutcome.CREATED,
        EnqueueOutcome.DUPLICATE,
        EnqueueOutcome.CONFLICT,
    ]
    assert {first.state, second.state, third.state} == {JobState.WAITING}
    assert client.xlen(queue.keys.lane("main")) == 1
    job = queue.find_job("1")
    assert job is not None
    assert job.data == data


def test_the_same_content_in_another_order_of_keys_is_a_duplicate(queue: Queue) -> None:
    queue.enqueue({"a": 1, "b": "ё"}, job_id="1")

    assert queue.enqueue({"b": "ё", "a": 1}, job_id="1").outcome is EnqueueOutcome.DUPLICATE


def test_a_duplicate_tells_the_state_of_the_existing_job(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands()
    delivery = hands.fetch().delivery
    assert delivery is not None
    assert queue.enqueue({"order_id": 1}, job_id="1").state is JobState.ACTIVE

    hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), ["main"])

    again = queue.enqueue({"order_id": 1}, job_id="1")
    assert (again.outcome, again.state) == (EnqueueOutcome.DUPLICATE, JobState.COMPLETED)
    assert hands.fetch().delivery is None


def test_a_conflict_of_long_data_is_seen_although_they_lie_in_the_entry(queue: Queue) -> None:
    queue.enqueue(LONG, job_id="1")

    assert queue.enqueue({"text": "y" * 300}, job_id="1").outcome is EnqueueOutcome.CONFLICT


def test_many_jobs_are_answered_in_their_order_and_a_repeated_id_within_the_call_is_a_duplicate(queue: Queue) -> None:
    jobs = [new(str(number), {"n": number}, lane=f"l{number % 3}") for number in range(250)]
    jobs.insert(120, jobs[5])

    answers = queue.enqueue_many(jobs)

    assert [answer.job_id for answer in answers] == [job.job_id for job in jobs]
    assert [answer.outcome for answer in answers].count(EnqueueOutcome.CREATED) == 250
    assert answers[120].outcome is EnqueueOutcome.DUPLICATE
    assert len(queue.find_jobs(str(number) for number in range(250))) == 250


@pytest.mark.parametrize("is_one_there", [False, True])
def test_an_id_that_comes_again_within_one_call_is_compared_with_the_first(
    queue: Queue, client: redis.Redis, is_one_there: bool
) -> None:
    # Given that another job of the call exists already, or that none does: the script looks in two ways
    if is_one_there:
        queue.enqueue({}, job_id="there")
    jobs = [new("1"), new("there", {}), new("1"), new("1", {"order_id": 2}), new("1", LONG), new("later", delay_s=60)]

    # When one call has an id several times
    answers = queue.enqueue_many([*jobs, new("later", delay_s=60)])

    # Then only the first of them is a job
    created, duplicate, conflict = EnqueueOutcome.CREATED, EnqueueOutcome.DUPLICATE, EnqueueOutcome.CONFLICT
    there = duplicate if is_one_there else created
    assert [answer.outcome for answer in answers] == [created, there, duplicate, conflict, conflict, created, duplicate]
    assert [answer.state for answer in answers] == [JobState.WAITING] * 5 + [JobState.DELAYED] * 2
    assert client.xlen(queue.keys.lane("main")) == 2
    assert client.zcard(queue.keys.delayed) == 1


def test_one_of_many_being_wrong_writes_nothing(queue: Queue) -> None:
    with pytest.raises(InvalidName):
        queue.enqueue_many([new("1"), new("2", lane="a lane")])

    assert queue.find_job("1") is None


@pytest.mark.parametrize(
    "job",
    [
        new(data={"x": object()}),
        new(data={"x": math.nan}),
        new(data=_HOLDS_ITSELF),
        new(data={"x": "half a letter: \ud83d"}),
        new(headers={"x": "\ud83d"}),
        new(data={"x": "x" * 70_000}),
        new(delay_s=-1),
        new(delay_s=math.inf),
        new(delay_s=1e306),
        new(fence_floor=2**53),
        new(fence_floor=-1),
    ],
)
def test_what_cant_be_a_job_is_refused_naming_it(queue: Queue, job: NewJob) -> None:
    with pytest.raises(InvalidData, match="Job 1: "):
        queue.enqueue_many([job])


def test_enqueue_puts_one_token_on_its_lanes_bell_however_many_jobs_come(queue: Queue, client: redis.Redis) -> None:
    queue.enqueue_many([new(str(number), lane="urgent") for number in range(5)])
    queue.enqueue({}, job_id="more", lane="urgent")

    assert client.llen(queue.keys.lane_bell("urgent")) == 1
    assert client.llen(queue.keys.lane_bell("main")) == 0


def test_a_delayed_job_waits_by_its_time_and_rings_the_timer_only_as_the_earliest(
    queue: Queue, client: redis.Redis
) -> None:
    queue.enqueue({}, job_id="later", delay_s=50)
    client.delete(queue.keys.timer_bell)
    queue.enqueue({}, job_id="last", delay_s=60)
    assert client.llen(queue.keys.timer_bell) == 0

    queue.enqueue({}, job_id="first", delay_s=40)

    assert client.llen(queue.keys.timer_bell) == 1
    assert client.zrange(queue.keys.delayed, 0, -1) == ["first", "later", "last"]
    job = queue.find_job("first")
    assert job is not None
    assert (job.state, job.is_live) == (JobState.DELAYED, True)


def test_many_producers_of_the_same_job_make_it_once(queue: Queue, client: redis.Redis) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: queue.enqueue({"order_id": 1}, job_id="1"), range(40)))

    assert [answer.outcome for answer in answers].count(EnqueueOutcome.CREATED) == 1
    assert client.xlen(queue.keys.lane("main")) == 1


def test_events_are_capped_and_lanes_are_not(redis_server: Any, queue_name: str, queue: Queue, client: Any) -> None:
    small = Queue(queue.redis_settings, queue_name, QueueSettings(max_events=10))
    with small:
        small.enqueue_many([new(str(number), {}) for number in range(1000)])

    # Redis cuts whole blocks of a hundred entries.
    assert client.xlen(queue.keys.events) < 250
    assert client.xlen(queue.keys.lane("main")) == 1000


def test_events_of_jobs_that_come_one_by_one_are_capped_too(queue_name: str, queue: Queue, client: Any) -> None:
    with Queue(queue.redis_settings, queue_name, QueueSettings(max_events=10)) as small:
        for number in range(500):
            small.enqueue({}, job_id=str(number))

    assert client.xlen(queue.keys.events) < 250


def test_a_queue_of_a_newer_rosq_is_refused(queue: Queue, client: redis.Redis) -> None:
    client.hset(queue.keys.meta, "schema_version", "99")

    with pytest.raises(ServerUnfit, match="newer rosq"):
        queue.enqueue({}, job_id="1")
    with pytest.raises(ServerUnfit, match="newer rosq"):
        queue.ping()


def test_of_an_id_given_twice_the_first_counts_whatever_the_job_is_by_then(
    queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    # Given a job that is in hand already
    queue.enqueue({"v": 1}, job_id="there")
    make_hands().fetch()

    # When a call names it, and a new one, with this and that content
    jobs = [new("there", {"v": 2}), new("new", {"v": 1}), new("there", {"v": 1}), new("new", {"v": 2})]
    jobs += [new("new", {"v": 1}, headers={"trace": "other headers are no other content"})]
    answers = queue.enqueue_many(jobs)

    # Then each is told what the job is that counts
    created, duplicate, conflict = EnqueueOutcome.CREATED, EnqueueOutcome.DUPLICATE, EnqueueOutcome.CONFLICT
    assert [answer.outcome for answer in answers] == [conflict, created, duplicate, conflict, duplicate]
    assert [answer.state for answer in answers] == [
        JobState.ACTIVE if job.job_id == "there" else JobState.WAITING for job in jobs
    ]
    found = queue.find_job("new")
    assert found is not None
    assert found.data == {"v": 1}


def test_a_job_whose_key_is_of_another_type_is_a_conflict_and_hinders_no_other(
    queue: Queue, client: redis.Redis
) -> None:
    client.set(queue.keys.job("odd"), "something else wrote it")

    told = queue.enqueue_many([new("1"), new("odd"), new("2")])

    assert [each.outcome.value for each in told] == ["created", "conflict", "created"]
    assert told[1].state is JobState.UNREADABLE
    assert queue.enqueue({}, job_id="odd").outcome is EnqueueOutcome.CONFLICT
    assert client.get(queue.keys.job("odd")) == "something else wrote it"
    assert client.hget(queue.keys.meta, "enqueued_total") == "2"


def test_reopen_puts_aside_what_isnt_a_job_and_cancel_says_that_it_cant_be_read(
    queue: Queue, client: redis.Redis
) -> None:
    client.set(queue.keys.job("odd"), "something else wrote it")

    assert queue.cancel("odd", by="ann", reason="a test").state is JobState.UNREADABLE
    assert queue.reopen(new("odd")).outcome is ReopenOutcome.REOPENED

    found = queue.find_job("odd")
    assert found is not None and found.is_live
    [aside] = client.scan_iter(match=f"{queue.keys.aside_prefix}*")
    assert client.get(aside) == "something else wrote it"


def test_numbers_as_keys_of_the_data_make_no_conflict_of_a_job_that_was_forgotten(queue: Queue) -> None:
    data: Any = {2: "a" * 40, 10: "b"}
    with Steering(queue.redis_settings, queue.name, by="ann", reason="a test") as hand:
        queue.enqueue(data, job_id="1")
        queue.enqueue({2: "a", 10: "b"}, job_id="2", headers={"some": "headers"})  # type: ignore[dict-item]
        hand.remove(list(hand.see(["1", "2"]).values()))

    again = [queue.enqueue(data, job_id="1"), queue.enqueue({2: "a", 10: "b"}, job_id="2")]  # type: ignore[dict-item]
    assert [each.outcome for each in again] == [EnqueueOutcome.DUPLICATE] * 2


def test_jobs_that_a_generator_makes_are_not_kept(queue: Queue) -> None:
    def make_jobs() -> Iterator[NewJob]:
        for number in range(20):
            yield new(str(number))
            alive.append(sum(isinstance(each, NewJob) for each in gc.get_objects()))

    alive: list[int] = []
    before = sum(isinstance(each, NewJob) for each in gc.get_objects())

    answers = queue.enqueue_many(make_jobs())

    assert len(answers) == 20
    assert max(alive) <= before + 1


# -- reopen ------------------------------------------------------------------


def finish(queue: Queue, hands: Hands, outcome: Outcome, data: Any = None) -> int:
    """Run job 1 to its end; the fence of its delivery."""
    queue.enqueue({"order_id": 1} if data is None else data, job_id="1")
    delivery = hands.fetch().delivery
    assert delivery is not None
    hands.consumer.exchange(Settlement(delivery=delivery, outcome=outcome, error="broken"), ["main"])
    return delivery.fence


@pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.FAIL])
@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
def test_a_finished_job_starts_again_as_if_it_were_new_with_growing_fences(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], outcome: Outcome, data: Any
) -> None:
    hands = make_hands()
    last_fence = finish(queue, hands, outcome, data)

    answer = queue.reopen(new("1", data))

    assert (answer.outcome, answer.state) == (ReopenOutcome.REOPENED, JobState.WAITING)
    assert client.zcard(queue.keys.completed) == client.zcard(queue.keys.failed) == 0
    delivery = hands.fetch().delivery
    assert delivery is not None
    assert (delivery.attempt, delivery.data) == (1, data)
    assert delivery.fence > last_fence


def test_a_forgotten_job_starts_above_the_given_floor(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    floor = 2**53 - 10

    answer = queue.reopen(new("1", fence_floor=floor))

    assert answer.outcome is ReopenOutcome.REOPENED
    delivery = make_hands().fetch().delivery
    assert delivery is not None
    assert delivery.fence == floor + 1


def test_a_floor_holds_for_enqueue_too_and_no_digit_is_lost(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    floor = 2**53 - 12_345
    queue.enqueue({}, job_id="1", fence_floor=floor)

    delivery = make_hands().fetch().delivery

    assert delivery is not None
    assert delivery.fence == floor + 1


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.ACTIVE, JobState.DELAYED])
def test_reopen_does_nothing_to_a_live_job(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], state: JobState
) -> None:
    queue.enqueue({"order_id": 1}, job_id="1", delay_s=60 if state is JobState.DELAYED else 0)
    if state is JobState.ACTIVE:
        make_hands().fetch()
    before = client.hgetall(queue.keys.job("1"))

    answer = queue.reopen(new("1", {"order_id": 1}, lane="urgent", delay_s=3))

    assert (answer.outcome, answer.state) == (ReopenOutcome.LIVE, state)
    assert client.hgetall(queue.keys.job("1")) == before
    assert client.xlen(queue.keys.lane("urgent")) == 0


def test_reopening_twice_makes_one_job(queue: Queue, client: redis.Redis) -> None:
    assert queue.reopen(new()).outcome is ReopenOutcome.REOPENED

    assert queue.reopen(new()).outcome is ReopenOutcome.LIVE
    assert client.xlen(queue.keys.lane("main")) == 1


def test_a_job_whose_entry_is_gone_is_dead_and_starts_again(queue: Queue, client: redis.Redis) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    entry_id = client.hget(queue.keys.job("1"), "entry_id")
    client.xdel(queue.keys.lane("main"), entry_id)  # type: ignore[arg-type]
    job = queue.find_job("1")
    assert job is not None
    assert (job.state, job.is_live) == (JobState.WAITING, False)

    assert queue.reopen(new()).outcome is ReopenOutcome.REOPENED


def test_an_entry_that_will_never_be_read_again_doesnt_make_a_job_live(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    # Given a job whose entry is there, but whose consumer was deleted with it pending
    queue.enqueue({"order_id": 1}, job_id="1")
    # Long enough that the name is still held when it fetches, on a machine that has other work.
    assert make_hands("w1", lease_s=1.5).fetch().delivery is not None
    client.xgroup_delconsumer(queue.keys.lane("main"), "workers", "w1")
    assert client.xlen(queue.keys.lane("main")) == 1
    wait_until(lambda: not _is_live(queue, "1"), "the lease to run out")

    # When it is reopened
    answer = queue.reopen(new())

    # Then it runs once
    assert answer.outcome is ReopenOutcome.REOPENED
    hands = make_hands("w2")
    assert hands.fetch().delivery is not None
    assert client.xlen(queue.keys.lane("main")) == 1


def test_a_job_that_sits_in_another_lane_is_found_alive_there(queue: Queue) -> None:
    queue.enqueue({"order_id": 1}, job_id="1", lane="@account")

    assert queue.reopen(new("1", lane="main")).outcome is ReopenOutcome.LIVE


def test_a_reopened_job_can_be_delayed_and_sent_to_a_lane(queue: Queue) -> None:
    answer = queue.reopen(new("1", lane="@account", delay_s=30))

    assert (answer.outcome, answer.state) == (ReopenOutcome.REOPENED, JobState.DELAYED)
    job = queue.find_job("1")
    assert job is not None
    assert (job.lane, job.is_live) == ("@account", True)


def _is_live(queue: Queue, job_id: str) -> bool:
    job = queue.find_job(job_id)
    assert job is not None
    return job.is_live


# -- promote ------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
def test_a_due_job_goes_into_its_lane_rings_its_bell_and_keeps_its_data(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], data: Any
) -> None:
    queue.enqueue(data, job_id="1", lane="@a", delay_s=0.001)
    queue.enqueue({}, job_id="2", delay_s=100)
    hands = make_hands()
    client.delete(queue.keys.lane_bell("@a"))

    rest_s = wait_until(
        lambda: rest if (rest := promote_due(queue.keys, hands.consumer.wire, 100)) and rest > 1 else None, "promotion"
    )

    assert rest_s is not None
    assert 98 < rest_s <= 100
    assert client.llen(queue.keys.lane_bell("@a")) == 1
    assert client.zrange(queue.keys.delayed, 0, -1) == ["2"]
    delivery = hands.fetch("@a").delivery
    assert delivery is not None
    assert delivery.data == data
    assert events_of(client, queue, "1") == ["enqueued", "promoted", "started"]


def test_two_promoters_at_once_put_a_job_into_its_lane_once(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([new(str(number), {}, delay_s=0.001) for number in range(20)])
    wires = [make_hands(f"w{number}").consumer.wire for number in range(4)]

    with ThreadPoolExecutor(4) as pool:
        wait_until(
            lambda: all(rest is None for rest in pool.map(lambda wire: promote_due(queue.keys, wire, 100), wires)),
            "all promoted",
        )

    assert client.xlen(queue.keys.lane("main")) == 20


def test_a_due_id_without_a_job_is_taken_out(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    client.zadd(queue.keys.delayed, {"ghost": 1})

    assert promote_due(queue.keys, make_hands().consumer.wire, 100) is None

    assert client.zcard(queue.keys.delayed) == 0
    assert events_of(client, queue, "ghost") == ["dropped"]


# -- move ---------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
def test_a_waiting_job_goes_to_the_other_lane_with_its_data(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], data: Any
) -> None:
    queue.enqueue(data, job_id="1", lane="@gone")

    assert queue.move("1", from_lane="@gone", to_lane="main")

    assert client.xlen(queue.keys.lane("@gone")) == 0
    assert client.llen(queue.keys.lane_bell("main")) == 1
    delivery = make_hands().fetch().delivery
    assert delivery is not None
    assert (delivery.lane, delivery.data) == ("main", data)
    assert "moved" in events_of(client, queue)


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
def test_a_delayed_job_keeps_its_time(queue: Queue, data: Any) -> None:
    queue.enqueue(data, job_id="1", lane="@gone", delay_s=300)
    before = queue.find_job("1")
    assert before is not None

    assert queue.move("1", from_lane="@gone", to_lane="main")

    job = queue.find_job("1")
    assert job is not None
    assert (job.lane, job.state, job.due_at, job.data) == ("main", JobState.DELAYED, before.due_at, data)


def test_moving_twice_moves_once(queue: Queue, client: redis.Redis) -> None:
    queue.enqueue({"order_id": 1}, job_id="1", lane="@gone")

    moves = [queue.move("1", from_lane="@gone", to_lane="main") for _ in range(2)]

    assert [bool(each) for each in moves] == [True, False]
    assert client.xlen(queue.keys.lane("main")) == 1


def test_a_job_in_hand_over_elsewhere_or_unknown_is_not_moved(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({"order_id": 1}, job_id="1", lane="@gone")
    hands = make_hands()
    delivery = hands.fetch("@gone").delivery
    assert delivery is not None

    assert not queue.move("1", from_lane="@gone", to_lane="main"), "it is in hand"
    hands.consumer.exchange(Settlement(delivery=delivery, outcome=Outcome.COMPLETE), [], is_fetching=False)
    assert not queue.move("1", from_lane="@gone", to_lane="main"), "it is over"
    queue.enqueue({"order_id": 2}, job_id="2", lane="urgent")
    assert not queue.move("2", from_lane="@gone", to_lane="main"), "it is elsewhere"
    assert not queue.move("3", from_lane="@gone", to_lane="main"), "there is none"
    with pytest.raises(InvalidName):
        queue.move("2", from_lane="urgent", to_lane="no lane")
