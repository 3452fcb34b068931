"""Whose turn a pass is, and when it is too early for one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from rosq.clock import boot_time_s
from rosq.maintenance.service import Swept
from rosq.maintenance.turns import Turns
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from rosq import Queue

LEASE_MS = 600


class Idle:
    """A service that does nothing."""

    name = "idle"

    def __init__(self, period_s: float = 0.2, steady_s: float = 0.0) -> None:
        self.period_s = period_s
        self.steady_s = steady_s

    def run_once(self, _: object = None) -> Swept:
        return Swept()


@pytest.fixture
def make_turns(queue: Queue) -> Iterator[Callable[[], Turns]]:
    with contextlib.ExitStack() as stack:

        def make() -> Turns:
            wire = stack.enter_context(contextlib.closing(queue.make_wire("test-turns")))
            return Turns(keys=queue.keys, wire=wire, lease_ms=LEASE_MS)

        yield make


def test_a_turn_is_one_workers_and_the_next_ones_when_the_period_is_over(make_turns: Callable[[], Turns]) -> None:
    first, second, service = make_turns(), make_turns(), Idle(period_s=0.3)
    assert first.take(service)
    assert not second.take(service)
    assert first.keep(service)
    assert not second.keep(service)

    first.finish(service)
    finished_s = boot_time_s()

    assert not second.take(service)
    wait_until(lambda: second.take(service), "the period to pass")
    assert boot_time_s() - finished_s > 0.2


def test_each_service_has_its_own_turn(make_turns: Callable[[], Turns]) -> None:
    first, second = make_turns(), make_turns()
    one, other = Idle(), Idle()
    other.name = "other"

    assert first.take(one)
    assert second.take(other)


def test_the_turn_of_one_that_died_is_free_within_a_lease(make_turns: Callable[[], Turns]) -> None:
    dead, living, service = make_turns(), make_turns(), Idle(period_s=3_600)
    assert dead.take(service)
    begun_s = boot_time_s()

    wait_until(lambda: living.take(service), "the turn")

    assert boot_time_s() - begun_s < 2 * LEASE_MS / 1000
    assert not dead.keep(service)


def test_no_turn_is_taken_before_the_server_has_answered_for_a_whole_lease_and_others_looks_count(
    make_turns: Callable[[], Turns],
) -> None:
    first, second, service = make_turns(), make_turns(), Idle(steady_s=LEASE_MS / 1000)
    began_s = boot_time_s()
    assert not first.take(service)

    # It needn't be the same worker that looks, nor the same connection.
    wait_until(lambda: make_turns().take(service), "the first turn")

    assert boot_time_s() - began_s >= 0.9 * LEASE_MS / 1000
    assert not second.take(service)


def test_half_a_lease_in_which_nobody_got_an_answer_starts_the_count_again(
    queue: Queue, client: redis.Redis, make_turns: Callable[[], Turns]
) -> None:
    turns, service = make_turns(), Idle(steady_s=LEASE_MS / 1000)
    wait_until(lambda: turns.take(service), "the first turn")
    turns.finish(service)
    # As after an outage: whoever noted that it answered did so too long ago.
    wait_until(lambda: not client.exists(queue.keys.steady(LEASE_MS)), "half a lease")

    begun_s = boot_time_s()
    wait_until(lambda: turns.take(service), "the next turn")

    assert boot_time_s() - begun_s >= 0.9 * LEASE_MS / 1000


@pytest.mark.parametrize("kind", ["a list", "a time to come", "no time"])
def test_whatever_else_lies_under_the_keys_is_written_over(
    queue: Queue, client: redis.Redis, make_turns: Callable[[], Turns], kind: str
) -> None:
    turns, service = make_turns(), Idle(steady_s=0.2)
    steady = queue.keys.steady(LEASE_MS)
    if kind == "a list":
        client.rpush(queue.keys.turn(service.name), "odd")
        client.rpush(steady, "odd")
    else:
        client.set(steady, "odd" if kind == "no time" else 10**15)

    assert not turns.take(service)
    wait_until(lambda: turns.take(service), "the turn")
