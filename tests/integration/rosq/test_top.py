"""`rosq top` in a real terminal."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from rosq import NewJob, Queue
from rosq.settlement import Outcome, Settlement
from tests.integration.rosq.conftest import Hands, settings_of
from tests.integration.rosq.terminal import Terminal
from tests.integration.rosq.test_cli import command
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import EmbeddedRedis, RedisServer

DOWN, ESCAPE, ENTER, CTRL_C, RIGHT = "\x1b[B", "\x1b", "\r", "\x03", "\x1b[C"


def open_top(server: RedisServer, queue: str | None = None, *options: str, columns: int = 140) -> Terminal:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("REDIS_", "ROSQ_", "NO_COLOR"))}
    named = [] if queue is None else ["--queue", queue]
    arguments = command(*named, "top", "--refresh", "0.2", *options)
    return Terminal(arguments, {**environ, **server.env()}, columns=columns)


@pytest.fixture
def busy_queue(queue: Queue, make_hands: Callable[..., Hands]) -> Queue:
    """One job failed, one in hand, two that wait, one for later."""
    hands = make_hands("worker-7")
    queue.enqueue({}, job_id="broken-1")
    delivery = hands.fetch().delivery
    assert delivery is not None
    settlement = Settlement(delivery=delivery, outcome=Outcome.FAIL, error="ValueError: the form has changed")
    hands.consumer.exchange(settlement, (), is_fetching=False)
    queue.enqueue({}, job_id="in-hand-1")
    hands.fetch()
    queue.enqueue_many([NewJob(job_id=f"waits-{number}", data={}) for number in (1, 2)])
    queue.enqueue({}, job_id="later-1", lane="urgent", delay_s=3000)
    return queue


def test_pages_states_and_one_job_are_walked_through_by_keys(redis_server: RedisServer, busy_queue: Queue) -> None:
    with open_top(redis_server, busy_queue.name) as terminal:
        # It begins with what runs.
        terminal.wait_for(f"queue {busy_queue.name}", "waiting 2", "in-hand-1", "worker-7")
        # The states of jobs by arrows and by letters.
        terminal.press(RIGHT)
        terminal.wait_for("waits-1", "waits-2", "2 of 2 waiting jobs shown")
        terminal.press("l")
        terminal.wait_for("later-1", "urgent", "due in", "1 of 1 delayed jobs")
        terminal.press("l")
        terminal.wait_for("broken-1", "the form has changed")
        # A job with its explanation, and back.
        terminal.press(ENTER)
        terminal.wait_for("Job broken-1 failed for good", "rosq retry broken-1", "Hand-outs (1)")
        terminal.press(ESCAPE)
        terminal.wait_for("1 of 1 failed jobs shown", without="failed for good")
        # Workers, and the job of one.
        terminal.press("3")
        terminal.wait_for("worker-7", "busy", f"{os.getpid()} on")
        terminal.press(ENTER)
        terminal.wait_for("Job in-hand-1 is running", "renewed by a heartbeat")
        terminal.press("q")
        # Errors, and the jobs of one kind.
        terminal.wait_for("worker-7", without="is running")
        terminal.press("6")
        terminal.wait_for("ValueError", "1 kinds")
        terminal.press(ENTER)
        terminal.wait_for("broken-1", "filter: ValueError")
        # Events, newest first.
        terminal.press("7")
        terminal.wait_for("enqueued", "started", "failed")
        # Back through all of it.
        terminal.press(ESCAPE)
        terminal.wait_for("filter: ValueError")
        terminal.press(ESCAPE)
        terminal.wait_for("1 kinds")
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_the_cursor_moves_by_arrows_and_letters_and_stays_on_its_job(
    redis_server: RedisServer, queue: Queue, make_hands: Callable[..., Hands]
) -> None:
    queue.enqueue_many([NewJob(job_id=f"job-{number}", data={}) for number in range(5)])
    with open_top(redis_server, queue.name) as terminal:
        terminal.press(RIGHT)
        terminal.wait_for("job-4")
        terminal.press(DOWN, "j", "j", "k")
        # Those before it are taken away; two looks later Enter still opens the same.
        hands = make_hands("w1")
        hands.fetch()
        terminal.wait_for("active 1", without="job-0")
        terminal.press(ENTER)
        terminal.wait_for("Job job-2 waits in lane main")


def test_a_filter_is_typed_kept_and_given_up(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue_many([NewJob(job_id=f"job-{number}", data={}) for number in range(30)])
    with open_top(redis_server, queue.name) as terminal:
        terminal.press(RIGHT)
        terminal.wait_for("30 of 30 waiting jobs")
        terminal.press("/")
        terminal.press("b-2", "[0-4]")
        terminal.wait_for("5 of 30 waiting jobs", "job-24", without="job-1 ")
        terminal.press(ENTER)
        wait_until(lambda: "b-2" not in terminal.lines[-2], "the line for the filter to close")
        # The keys belong to the list again.
        terminal.press("G", ENTER)
        terminal.wait_for("Job job-24 waits")
        terminal.press(ESCAPE)
        terminal.wait_for("5 of 30", "filter: b-2[0-4]")
        terminal.press("/")
        terminal.press(ESCAPE)
        terminal.wait_for("30 of 30", without="filter:")


def test_of_several_queues_one_is_chosen(own_redis: EmbeddedRedis) -> None:
    for name, count in (("letters", 1), ("orders", 2)):
        with Queue(settings_of(own_redis), name) as queue:
            queue.enqueue_many([NewJob(job_id=f"{name}-{number}", data={}) for number in range(count)])
    with open_top(own_redis) as terminal:
        terminal.wait_for("choose a queue", "letters", "orders")
        terminal.press("j", ENTER)
        terminal.wait_for("queue orders", "waiting 2")
        terminal.press("l")
        terminal.wait_for("orders-0", "orders-1")


def test_the_only_queue_is_looked_at_again_and_again(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="one")
    with open_top(own_redis) as terminal:
        terminal.wait_for(f"queue {own_queue.name}", "waiting 1")
        own_queue.enqueue({}, job_id="two")
        terminal.wait_for("waiting 2")


def test_it_says_that_the_server_is_away_and_comes_back(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="one")
    with open_top(own_redis, own_queue.name) as terminal:
        terminal.press("l")
        terminal.wait_for("one", "waiting 1")
        own_redis.stop()
        terminal.wait_for("UNREACHABLE", "can't be reached", "Trying again", "What is shown was seen")
        # What belongs to one page isn't shown under another's name.
        terminal.press("3")
        terminal.wait_for("UNREACHABLE", without="one  ")
        own_redis.start()
        own_queue.enqueue({}, job_id="two")
        terminal.press("2", "l")
        terminal.wait_for("one", "two", "waiting 2", without="UNREACHABLE")


def test_it_begins_while_the_server_is_away(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="one")
    own_redis.stop()
    with open_top(own_redis) as terminal:
        terminal.wait_for("UNREACHABLE")
        own_redis.start()
        terminal.wait_for(own_queue.name, without="UNREACHABLE")


@pytest.mark.parametrize("how", ["q", CTRL_C, signal.SIGTERM, signal.SIGINT])
def test_it_leaves_the_terminal_as_it_found_it(
    redis_server: RedisServer, queue: Queue, how: str | signal.Signals
) -> None:
    queue.enqueue({}, job_id="one")
    with open_top(redis_server, queue.name) as terminal:
        terminal.wait_for("waiting 1")
        assert terminal.modes != terminal.before
        if isinstance(how, str):
            terminal.press(how)
        else:
            terminal.process.send_signal(how)

        assert terminal.wait_for_end() == 0

        assert terminal.modes == terminal.before
        # The other screen is left, the cursor is seen again, the mouse is nobody's.
        for begun, ended in ((b"?1049h", b"?1049l"), (b"?25l", b"?25h"), (b"?1000h", b"?1000l")):
            assert terminal.written.rfind(ended) > terminal.written.rfind(begun), ended
        assert "Traceback" not in terminal.written.decode(errors="replace")


def test_it_ends_at_once_while_the_server_hangs(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="one")
    with open_top(own_redis, own_queue.name) as terminal:
        terminal.wait_for("waiting 1")
        own_redis.pause()
        terminal.press("r", "q")

        # A look that hangs does so for five seconds.
        assert terminal.wait_for_end(timeout_s=4) == 0
        assert terminal.modes == terminal.before


def test_it_fits_itself_to_the_size_of_the_terminal(redis_server: RedisServer, busy_queue: Queue) -> None:
    with open_top(redis_server, busy_queue.name) as terminal:
        terminal.wait_for("in-hand-1", "q end")
        terminal.resize(60, 12)
        terminal.wait_for("in-hand-1", "q end")
        assert len(terminal.lines) == 12
        terminal.resize(160, 40)
        terminal.wait_for("in-hand-1", "lease left", "q end")
        wait_until(lambda: "q end" in terminal.lines[39], "the foot on the last line")


def test_it_stands_still_and_goes_on(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue({}, job_id="one")
    with open_top(redis_server, queue.name) as terminal:
        terminal.wait_for("waiting 1")
        terminal.press(" ")
        terminal.wait_for("standing still")
        queue.enqueue({}, job_id="two")
        terminal.press("?")
        terminal.wait_for("what it does", "It only reads")
        terminal.press(ESCAPE)
        terminal.wait_for("waiting 1", "standing still")
        terminal.press(" ")
        terminal.wait_for("waiting 2", "every 0.2 s")


def test_times_are_told_in_another_zone_and_without_colours(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue({}, job_id="one")
    with open_top(redis_server, queue.name, "--tz", "Europe/Moscow", "--no-color") as terminal:
        terminal.wait_for(" MSK ")
        assert b"\x1b[31m" not in terminal.written


def test_it_changes_nothing(redis_server: RedisServer, busy_queue: Queue, client: object) -> None:
    def dump() -> dict[str, object]:
        with redis_server.client() as redis:
            keys = sorted(str(key) for key in redis.scan_iter(f"rosq:{{{busy_queue.name}}}:*"))
            # A larger hash has no order of its own: its dump differs from one time to the next.
            return {
                key: redis.hgetall(key) if redis.type(key) == "hash" else redis.dump(key)
                for key in keys
                if ":worker:" not in key
            }

    before = dump()
    with open_top(redis_server, busy_queue.name) as terminal:
        for key, part in zip(
            "1234567", ("verdict", "lease left", "process", "urgent", "owner", "kind", "facts"), strict=True
        ):
            terminal.press(key)
            terminal.wait_for(part)

    assert dump() == before


def test_without_a_terminal_it_refuses_and_says_what_to_use(redis_server: RedisServer) -> None:
    result = subprocess.run(
        command("top"),
        env={**os.environ, **redis_server.env()},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert result.returncode == 2
    assert "needs a terminal" in result.stderr
    assert "rosq inspect --watch" in result.stderr
    assert result.stdout == ""
