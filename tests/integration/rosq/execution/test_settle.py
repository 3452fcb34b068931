"""Fetching and settling: every script of the read loop with success, each refusal, and replay after a lost answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rosq import Delivery, JobState, Queue, QueueSettings
from rosq.clock import boot_time_s
from rosq.execution.fetching import Fetched
from rosq.execution.settlement import Outcome, Settlement
from rosq.maintenance.promoter import promote_due
from rosq.scripts.loader import Code
from tests.deliveries import forge
from tests.integration.rosq.conftest import Hands, events_of, let_lease_run_out
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

MakeHands = "Callable[..., Hands]"
LONG = {"text": "x" * 300}
OUTCOMES = list(Outcome)
#: A lane that has nothing: a repeated settle fetches, too, and mustn't take the next job.
NO_LANES = ("empty",)
#: After these the job is over.
FINAL = (Outcome.COMPLETE, Outcome.FAIL, Outcome.CANCEL)


def settle(hands: Hands, delivery: Delivery, outcome: Outcome, *lanes: str, **options: Any) -> Any:
    settlement = Settlement(delivery=delivery, outcome=outcome, error="broken", **options)
    return hands.consumer.exchange(settlement, lanes or ("main",))


def settle_only(hands: Hands, delivery: Delivery, outcome: Outcome) -> Code:
    settlement = Settlement(delivery=delivery, outcome=outcome, error="broken")
    return hands.consumer.settle_over(hands.consumer.wire, settlement)


def take(hands: Hands, *lanes: str) -> Delivery:
    answer = hands.fetch(*lanes)
    delivery = answer.delivery
    assert delivery is not None, answer
    assert delivery is not None
    return delivery


def _kept(queue: Queue, *job_ids: str) -> list[str]:
    """Those that aren't forgotten."""
    return sorted(job.job_id for job in queue.find_jobs(job_ids).values() if job.state is not JobState.FORGOTTEN)


def job_of(queue: Queue, job_id: str = "1") -> Any:
    job = queue.find_job(job_id)
    assert job is not None
    return job


# -- what each outcome does ------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"order_id": 1}, LONG])
@pytest.mark.parametrize(
    ("outcome", "state", "attempts", "event"),
    [
        (Outcome.COMPLETE, JobState.COMPLETED, 0, "completed"),
        (Outcome.FAIL, JobState.FAILED, 1, "failed"),
        (Outcome.RETRY, JobState.DELAYED, 1, "retried"),
        (Outcome.SNOOZE, JobState.DELAYED, 0, "snoozed"),
        (Outcome.RELEASE, JobState.WAITING, 0, "released"),
        (Outcome.CANCEL, JobState.CANCELLED, 0, "cancelled"),
    ],
)
def test_an_outcome_moves_the_job_takes_its_entry_away_and_says_so(
    queue: Queue,
    client: redis.Redis,
    make_hands: Callable[..., Hands],
    data: Any,
    outcome: Outcome,
    state: JobState,
    attempts: int,
    event: str,
) -> None:
    queue.enqueue(data, job_id="1")
    hands = make_hands()
    delivery = take(hands)

    answer = settle(hands, delivery, outcome, "other", lane="@a", delay_s=30)

    assert answer.code is Code.HELD
    assert client.xlen(queue.keys.lane("main")) == 0
    job = job_of(queue)
    assert (job.state, job.attempts, job.crashes, job.data) == (state, attempts, 0, data)
    is_put_back = outcome in (Outcome.RETRY, Outcome.SNOOZE, Outcome.RELEASE)
    assert job.lane == ("@a" if is_put_back else "main")
    assert job.is_live is is_put_back
    assert job.last_error == ("broken" if attempts or outcome is Outcome.CANCEL else None)
    assert events_of(client, queue, "1") == ["enqueued", "started", event]


def test_settling_fetches_the_next_job_in_the_same_call(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    hands = make_hands()
    for number in range(len(OUTCOMES) + 1):
        queue.enqueue({"order_id": number}, job_id=str(number))

    delivery = take(hands)
    seen = [delivery.job_id]
    for outcome in OUTCOMES:
        answer = settle(hands, delivery, outcome, delay_s=60)
        delivery = answer.delivery
        seen.append(delivery.job_id)

    assert seen == [str(number) for number in range(len(OUTCOMES) + 1)]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_settle_repeated_after_a_lost_answer_says_so_and_fetches_likewise(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    # Given a settle whose answer was lost after it ran and fetched the next job
    queue.enqueue_many([_new("1"), _new("2")])
    hands = make_hands()
    delivery = take(hands)
    lost = settle(hands, delivery, outcome, lane="@a", delay_s=30).delivery
    counts = (client.xlen(queue.keys.lane("@a")), client.zcard(queue.keys.delayed), client.zcard(queue.keys.failed))

    # When it is told again
    again = settle(hands, delivery, outcome, lane="@a", delay_s=30)

    # Then nothing is done twice, and the job that the first one fetched comes as a new delivery
    assert again.code is Code.ALREADY_SETTLED
    assert again.delivery.job_id == lost.job_id == "2"
    assert again.delivery.fence > lost.fence
    assert again.delivery.token != lost.token
    assert again.delivery.crashes == 0
    assert counts == (
        client.xlen(queue.keys.lane("@a")),
        client.zcard(queue.keys.delayed),
        client.zcard(queue.keys.failed),
    )
    assert job_of(queue).attempts == (1 if outcome in (Outcome.FAIL, Outcome.RETRY) else 0)


@pytest.mark.parametrize("again", OUTCOMES)
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("is_called_off", [False, True], ids=["", "called off"])
def test_a_delivery_that_settles_twice_is_told_what_became_of_its_job(
    queue: Queue,
    client: redis.Redis,
    make_hands: Callable[..., Hands],
    outcome: Outcome,
    again: Outcome,
    is_called_off: bool,
) -> None:
    # Given a delivery whose job was ended, as by the heartbeat that releases it for a handler that is deaf to a stop
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands()
    delivery = take(hands)
    if is_called_off:
        queue.cancel("1", by="ann", reason="a test")
    first = settle_only(hands, delivery, outcome)
    before = client.hgetall(queue.keys.job("1"))

    # When it is ended once more, maybe in another way
    code = settle_only(hands, delivery, again)

    # Then nothing is written, and the answer says whether that is what it came to
    assert client.hgetall(queue.keys.job("1")) == before
    if again is outcome:
        assert code is (first if first is Code.CANCELLED else Code.ALREADY_SETTLED)
    elif job_of(queue).state is JobState.CANCELLED and again not in FINAL:
        assert code is Code.CANCELLED
    elif job_of(queue).state is JobState.CANCELLED and again is Outcome.CANCEL:
        assert code is Code.ALREADY_SETTLED
    else:
        assert code is Code.SETTLED_OTHERWISE
        assert code.is_refusal


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_settle_with_another_fence_or_token_is_refused_and_changes_nothing(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands()
    delivery = take(hands)
    before = client.hgetall(queue.keys.job("1"))

    for stale in (
        forge(delivery, fence=delivery.fence - 1),
        forge(delivery, token="another"),
    ):
        answer = settle(hands, stale, outcome, "other", delay_s=30)
        assert answer.code is Code.LOST

    assert client.hgetall(queue.keys.job("1")) == before
    assert client.xlen(queue.keys.lane("main")) == 1


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_old_holder_cant_settle_what_another_has_taken_over(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    # Given a job that came back to another process of the same name
    queue.enqueue({"order_id": 1}, job_id="1")
    old = make_hands("w1")
    stale = take(old)
    new = make_hands("w1", is_holding=False)
    assert new.take_name([old.consumer.instance]) is None
    fresh = take(new)
    assert fresh.fence > stale.fence

    # When the old one settles
    answer = settle(old, stale, outcome)

    # Then it is refused, doesn't get another job either, and the new one can settle
    assert answer.code is Code.LOST
    assert answer.fetched is Fetched.UNHELD
    assert job_of(queue).state is JobState.ACTIVE
    assert settle(new, fresh, Outcome.COMPLETE).code is Code.HELD


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_lease_that_ran_out_settles_as_long_as_nobody_took_the_job(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands(lease_s=0.3)
    delivery = take(hands)
    let_lease_run_out(client, queue, "1")

    code = hands.consumer.settle_over(hands.consumer.wire, Settlement(delivery=delivery, outcome=outcome, delay_s=30))

    assert code is Code.HELD
    assert job_of(queue).state is not JobState.ACTIVE
    assert job_of(queue).crashes == 0


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_settling_a_job_that_redis_lost_is_told_as_gone(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands()
    delivery = take(hands)
    client.delete(queue.keys.job("1"), queue.keys.lane("main"))

    assert settle(hands, delivery, outcome, delay_s=30).code is Code.GONE
    assert queue.find_job("1") is None


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.SNOOZE])
def test_a_delay_of_nothing_puts_the_job_behind_those_that_wait(
    queue: Queue, make_hands: Callable[..., Hands], outcome: Outcome
) -> None:
    queue.enqueue_many([_new("1", LONG), _new("2")])
    hands = make_hands()

    first = settle(hands, take(hands), outcome).delivery
    second = settle(hands, first, Outcome.COMPLETE).delivery

    assert [first.job_id, second.job_id] == ["2", "1"]
    assert second.data == LONG


def test_finished_jobs_are_kept_by_count(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    hands = make_hands(settings=QueueSettings(keep_completed=3))
    queue.enqueue_many([_new(str(number)) for number in range(8)])
    delivery: Any = take(hands)
    while delivery is not None:
        delivery = settle(hands, delivery, Outcome.COMPLETE).delivery

    assert _kept(queue, *(str(number) for number in range(8))) == ["5", "6", "7"]


def test_events_stay_capped_while_jobs_are_completed_one_after_another(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands(settings=QueueSettings(max_events=10))
    queue.enqueue_many([_new(str(number)) for number in range(600)])
    delivery: Any = take(hands)
    for _ in range(500):
        delivery = settle(hands, delivery, Outcome.COMPLETE).delivery

    # Redis cuts whole blocks of a hundred entries, and completions let it once in 64.
    assert client.xlen(queue.keys.events) < 250


def test_finished_jobs_are_kept_by_age(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    hands = make_hands(settings=QueueSettings(keep_failed_s=0.05))
    queue.enqueue_many([_new("1"), _new("2")])
    second = settle(hands, take(hands), Outcome.FAIL).delivery
    until_s = boot_time_s() + 0.1
    wait_until(lambda: boot_time_s() > until_s, "the first one's time to pass")

    settle(hands, second, Outcome.FAIL)

    assert _kept(queue, "1", "2") == ["2"]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.COMPLETE, JobState.COMPLETED),
        (Outcome.FAIL, JobState.FAILED),
        (Outcome.CANCEL, JobState.CANCELLED),
    ],
)
@pytest.mark.parametrize("remember_s", [0, 3600])
def test_a_settle_forgets_others_but_never_its_own_job(
    queue: Queue,
    client: redis.Redis,
    make_hands: Callable[..., Hands],
    outcome: Outcome,
    state: JobState,
    remember_s: float,
) -> None:
    hands = make_hands(settings=QueueSettings(keep_completed=0, keep_failed=0, keep_cancelled=0, remember_s=remember_s))
    queue.enqueue_many([_new("1"), _new("2")])

    first = take(hands)
    second = settle(hands, first, outcome).delivery
    after_first = [settle(hands, first, outcome, *NO_LANES).code, job_of(queue, "1").state]
    settle(hands, second, outcome)

    assert after_first == [Code.ALREADY_SETTLED, state]
    assert _kept(queue, "1", "2") == ["2"]
    assert client.zrange(getattr(queue.keys, state.value), 0, -1) == ["2"]


def test_a_settle_after_the_clock_was_set_back_keeps_its_own_job(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    # Given a job that was completed while the clock was far ahead
    hands = make_hands(settings=QueueSettings(keep_completed=1))
    queue.enqueue_many([_new("1"), _new("2"), _new("3")])
    second = settle(hands, take(hands), Outcome.COMPLETE).delivery
    client.zadd(queue.keys.completed, {"1": 2**45})

    # When others are completed, which are the oldest by their time
    third = settle(hands, second, Outcome.COMPLETE).delivery
    assert settle(hands, second, Outcome.COMPLETE, *NO_LANES).code is Code.ALREADY_SETTLED
    settle(hands, third, Outcome.COMPLETE)

    # Then each trim leaves its own, and takes the one before
    assert settle(hands, third, Outcome.COMPLETE, *NO_LANES).code is Code.ALREADY_SETTLED
    assert _kept(queue, "1", "2", "3") == ["1", "3"]


# -- fetch -----------------------------------------------------------------------------------


def test_lanes_are_read_in_the_order_given_and_one_job_at_a_time(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    for lane in ("main", "urgent", "@a"):
        queue.enqueue({"lane": lane}, job_id=f"of {lane}".replace(" ", "-"), lane=lane)
    hands = make_hands()
    lanes = ("@a", "urgent", "main")

    delivery = take(hands, *lanes)
    seen = [delivery.lane]
    for _ in range(2):
        # A lane that wasn't read yet has no group.
        read = [lane for lane in lanes if client.xinfo_groups(queue.keys.lane(lane))]
        pending = sum(client.xpending(queue.keys.lane(lane), "workers")["pending"] for lane in read)
        assert pending == 1
        delivery = settle(hands, delivery, Outcome.COMPLETE, *lanes).delivery
        seen.append(delivery.lane)

    assert seen == ["@a", "urgent", "main"]


def test_the_group_reads_what_was_queued_before_it_existed(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    assert client.xinfo_groups(queue.keys.lane("main")) == []

    assert take(make_hands()).job_id == "1"


def test_a_job_whose_delivery_was_lost_on_the_way_comes_again_without_a_crash(
    queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([_new("1"), _new("2")])
    hands = make_hands()
    lost = take(hands)

    again = take(hands)

    assert (again.job_id, again.crashes) == ("1", 0)
    assert again.fence > lost.fence
    assert again.token != lost.token


def test_the_own_pending_job_is_found_in_a_lane_that_isnt_read_any_more(
    queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({"order_id": 1}, job_id="1", lane="@a")
    queue.enqueue({"order_id": 2}, job_id="2")
    old = make_hands("w1")
    take(old, "@a")
    new = make_hands("w1", is_holding=False)
    assert new.take_name([old.consumer.instance]) is None

    delivery = take(new, "main")

    # Another process of the name died with it: that is a crash.
    assert (delivery.job_id, delivery.lane, delivery.crashes) == ("1", "@a", 1)


def test_a_job_that_overran_its_time_in_the_same_process_counts_as_crashed(
    queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands()
    hands.consumer.abandon(take(hands), is_crash=True)

    again = take(hands)
    assert again.crashes == 1

    hands.consumer.abandon(again, is_crash=False)
    assert take(hands).crashes == 1


def test_a_job_that_kills_its_holders_fails_at_the_limit_and_the_next_one_is_fetched(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([_new("1", LONG), _new("2")])
    hands = make_hands()
    for crashes in range(5):
        delivery = take(hands)
        assert (delivery.job_id, delivery.crashes) == ("1", crashes)
        hands.consumer.abandon(delivery, is_crash=True)

    assert take(hands).job_id == "2"

    job = job_of(queue)
    assert (job.state, job.crashes, job.attempts, job.data) == (JobState.FAILED, 5, 0, LONG)
    assert "5 times in a row" in job.last_error
    assert client.zscore(queue.keys.failed, "1") is not None
    assert client.xpending(queue.keys.lane("main"), "workers")["pending"] == 1


def test_a_settle_sets_the_crashes_back_to_nothing(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands()
    hands.consumer.abandon(take(hands), is_crash=True)
    delivery = take(hands)
    assert delivery.crashes == 1

    again = settle(hands, delivery, Outcome.SNOOZE).delivery

    assert (again.job_id, again.crashes) == ("1", 0)


def test_an_entry_that_isnt_its_jobs_any_more_is_dropped(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    client.xadd(queue.keys.lane("main"), {"job_id": "ghost"})
    queue.enqueue({"order_id": 1}, job_id="1")
    client.xadd(queue.keys.lane("main"), {"job_id": "1"})
    hands = make_hands()

    delivery = take(hands)
    assert delivery.job_id == "1"
    assert settle(hands, delivery, Outcome.COMPLETE).fetched is Fetched.NONE

    assert client.xlen(queue.keys.lane("main")) == 0
    assert events_of(client, queue, "ghost") == ["dropped"]


def test_the_entry_of_a_finished_job_is_dropped_never_handed_out(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    # Given what a script that broke off after its first write would leave: a finished job whose entry is still pending
    queue.enqueue_many([_new("1"), _new("2")])
    hands = make_hands()
    delivery = take(hands)
    client.hset(queue.keys.job("1"), mapping={"state": "completed", "finished_at_ms": "1"})
    client.zadd(queue.keys.completed, {"1": 1})

    # When its holder looks for work
    hands.consumer.abandon(delivery, is_crash=False)
    following = take(hands)

    # Then it isn't run again
    assert following.job_id == "2"
    assert job_of(queue).state is JobState.COMPLETED
    assert client.xlen(queue.keys.lane("main")) == 1


def test_a_pending_entry_that_was_deleted_doesnt_stand_in_the_way(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([_new("1"), _new("2")])
    hands = make_hands()
    client.xdel(queue.keys.lane("main"), take(hands).hold.handed.entry_id)

    assert take(hands).job_id == "2"


def test_whoever_doesnt_hold_the_name_gets_nothing(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands(is_holding=False)

    assert hands.fetch().fetched is Fetched.UNHELD
    assert job_of(queue).state is JobState.WAITING


def test_an_error_at_the_next_job_leaves_the_settling_done_and_nothing_fetched(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    # Given a lane that the script can't read
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    delivery = take(hands)
    client.set(queue.keys.lane("other"), "not a stream")

    # When a job of another lane is settled
    answer = hands.consumer.exchange(Settlement(delivery, Outcome.COMPLETE), ("other",))

    # Then that counts, and the next job comes as soon as its lane can be read
    assert (answer.code, answer.fetched) == (Code.HELD, Fetched.ERROR)
    assert "WRONGTYPE" in answer.error
    assert job_of(queue).state is JobState.COMPLETED
    client.delete(queue.keys.lane("other"))
    queue.enqueue({}, job_id="2", lane="other")
    assert take(hands, "other").job_id == "2"


def test_an_error_at_an_old_jobs_hash_doesnt_undo_the_settling(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    hands = make_hands(settings=QueueSettings(keep_completed=0))
    client.zadd(queue.keys.completed, {"old": 1})
    queue.enqueue({"order_id": 1}, job_id="1")

    assert settle(hands, take(hands), Outcome.COMPLETE).code is Code.HELD
    assert client.zrange(queue.keys.completed, 0, -1) == ["1"]


def test_the_answer_says_when_the_next_delayed_job_is_due(queue: Queue, make_hands: Callable[..., Hands]) -> None:
    hands = make_hands()
    assert hands.fetch().next_due_s is None

    queue.enqueue({}, job_id="later", delay_s=60)

    assert 59 < (hands.fetch().next_due_s or 0) <= 60


# -- bells -----------------------------------------------------------------------------------


def test_an_entry_that_came_back_after_its_job_was_finished_doesnt_start_it_again(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    # Given a finished job, whose hash still names the entry that it was delivered from
    queue.enqueue({"order_id": 1}, job_id="1")
    hands = make_hands()
    delivery = take(hands)
    settle(hands, delivery, Outcome.COMPLETE)
    lane = queue.keys.lane("main")

    # When that very entry is there again, to be handed out: part of a backup was played in
    client.delete(lane)
    client.xadd(lane, {"job_id": "1"}, id=delivery.hold.handed.entry_id)
    answer = hands.fetch()

    assert answer.fetched is Fetched.NONE
    assert client.xlen(lane) == 0
    assert events_of(client, queue, "1") == ["enqueued", "started", "completed", "dropped"]


def test_a_job_whose_data_are_lost_fails_saying_so_and_the_next_one_is_handed_out(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([_new("1"), _new("2")])
    client.hdel(queue.keys.job("1"), "data")

    assert take(make_hands()).job_id == "2"

    job = client.hgetall(queue.keys.job("1"))
    assert job["state"] == "failed"
    assert "data are lost" in job["last_error"]
    assert client.zscore(queue.keys.failed, "1") is not None


def test_a_fetch_that_leaves_more_behind_rings_on_and_the_last_one_silences_the_bell(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([_new("1"), _new("2")])
    bell = queue.keys.lane_bell("main")
    first, second = make_hands("w1"), make_hands("w2")

    client.delete(bell)
    take(first)
    assert client.llen(bell) == 1

    client.delete(bell)
    delivery = take(second)
    assert client.llen(bell) == 0

    client.rpush(bell, "1")
    settle(second, delivery, Outcome.COMPLETE)
    assert client.llen(bell) == 0


def test_a_sleeper_that_takes_another_lanes_job_rings_on_for_the_lane_that_woke_it(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1", lane="main")
    queue.enqueue({}, job_id="2", lane="@a")
    hands = make_hands()
    # The alarm stands for a bell here: whichever token was taken is not known.
    hands.alarm.ring()
    hands.consumer.sleep(["@a", "main"], 5, None)
    client.delete(queue.keys.lane_bell("main"), queue.keys.lane_bell("@a"))

    assert take(hands, "@a", "main").lane == "@a"

    assert client.llen(queue.keys.lane_bell("main")) == 1


def test_whoever_starts_working_hands_the_watch_over_the_time_to_the_next(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="later", delay_s=60)
    queue.enqueue({}, job_id="1")
    client.delete(queue.keys.timer_bell)

    take(make_hands())

    assert client.llen(queue.keys.timer_bell) == 1


def test_a_snoozed_job_that_becomes_the_earliest_rings_the_timer(
    queue: Queue, client: redis.Redis, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue({}, job_id="1")
    hands = make_hands()
    delivery = take(hands)

    settle(hands, delivery, Outcome.SNOOZE, delay_s=0.2)

    assert client.llen(queue.keys.timer_bell) == 1
    wait_until(lambda: promote_due(queue.keys, hands.consumer.wire, 100) is None, "promotion")
    assert take(hands).job_id == "1"


def _new(job_id: str, data: Any = None) -> Any:
    from rosq import NewJob

    return NewJob(job_id=job_id, data={"order_id": 1} if data is None else data)
