"""`rosq top` in a real terminal."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from rosq import NewJob, Queue
from rosq.execution.settlement import Outcome, Settlement
from rosq.inspect.inspector import Inspector
from rosq.top import pages
from rosq.top.examiner import Examiner
from rosq.top.glance import Page, Wanted
from tests.integration.rosq.commands.test_cli import command
from tests.integration.rosq.conftest import Hands, settings_of
from tests.integration.rosq.terminal import Terminal
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
        terminal.wait_for("later-1", "urgent", "in 5", "1 of 1 delayed jobs")
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
        terminal.wait_for("ValueError", "kinds: 1")
        terminal.press(ENTER)
        terminal.wait_for("broken-1", "filter: ValueError")
        # Events, newest first.
        terminal.press("7")
        terminal.wait_for("enqueued", "started", "failed")
        # Back through all of it.
        terminal.press(ESCAPE)
        terminal.wait_for("filter: ValueError")
        terminal.press(ESCAPE)
        terminal.wait_for("kinds: 1")
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


def test_a_damaged_queue_stops_no_list_and_leads_to_the_doctor(own_redis: EmbeddedRedis) -> None:
    for name in ("letters", "orders"):
        with Queue(settings_of(own_redis), name) as queue, own_redis.client() as client:
            queue.enqueue({}, job_id=f"{name}-1")
            if name == "letters":
                client.delete(queue.keys.meta)
                client.set(queue.keys.meta, "not ours")
    with open_top(own_redis) as terminal:
        terminal.wait_for("DAMAGED: run rosq doctor", "orders", "2")
        terminal.press(ENTER)
        terminal.wait_for("DAMAGED", "rosq:{letters}:meta", "puts them aside")
        # Its other pages say why they are empty, and the list is still there.
        terminal.press("2")
        terminal.wait_for("Queue letters is damaged", without="puts them aside")
        terminal.wait_for("Here it is page 9", without="findings")
        terminal.press("1")
        terminal.wait_for("letters", "orders", "DAMAGED: run rosq doctor", without="is damaged")


def test_a_newer_queue_stops_no_list_and_says_what_to_do(own_redis: EmbeddedRedis) -> None:
    for name in ("letters", "orders"):
        with Queue(settings_of(own_redis), name) as queue, own_redis.client() as client:
            queue.enqueue({}, job_id=f"{name}-1")
            if name == "letters":
                client.hset(queue.keys.meta, "schema_version", 99)
    with open_top(own_redis) as terminal:
        terminal.wait_for("NEWER: upgrade rosq here", "orders", "2")
        terminal.press(ENTER)
        terminal.wait_for("NEWER  Queue letters was written by a newer rosq", "Upgrade rosq here.", without="orders")
        # No page of it can be had, the doctor's neither.
        terminal.press("9")
        terminal.wait_for("NEWER  Queue letters", without="findings")
        # The list is still there, and what hides the queue with it.
        terminal.press("1")
        terminal.wait_for("NEWER  queue letters", "Upgrade rosq here.", "orders", "NEWER: upgrade rosq here")
        terminal.press(DOWN, ENTER)
        terminal.wait_for("DEGRADED  queue orders", without="NEWER")


def test_a_newer_queue_that_is_the_only_one_is_told_too(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="one")
    with own_redis.client() as client:
        client.hset(own_queue.keys.meta, "schema_version", 99)

    with open_top(own_redis) as terminal:
        terminal.wait_for(f"NEWER  queue {own_queue.name}", "NEWER: upgrade rosq here")
    with open_top(own_redis, own_queue.name) as terminal:
        terminal.wait_for(f"NEWER  Queue {own_queue.name} was written by a newer rosq")


def test_a_queue_is_damaged_and_put_right_while_it_is_looked_at(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue({}, job_id="one")
    with open_top(redis_server, queue.name) as terminal, redis_server.client() as client:
        terminal.wait_for("waiting 1")
        client.set(queue.keys.delayed, "not ours")
        terminal.wait_for("DAMAGED", f"Queue {queue.name} is damaged")
        client.delete(queue.keys.delayed)
        terminal.wait_for("waiting 1", without="DAMAGED")


def test_throughput_is_counted_by_minute_hour_and_day(redis_server: RedisServer, busy_queue: Queue) -> None:
    with open_top(redis_server, busy_queue.name) as terminal, redis_server.client() as client:
        terminal.press("8")
        terminal.wait_for(" 8 pace ", "completed", "cancelled", "60 minutes", "█")
        # It goes on by itself.
        seconds, _ = client.time()
        client.zadd(busy_queue.keys.failed, {"another": seconds * 1000})
        terminal.wait_for("failed 2")
        terminal.press("l")
        terminal.wait_for("60 hours")
        terminal.press(RIGHT)
        terminal.wait_for("60 days", " 00:00 ")
        terminal.press("h", "h")
        terminal.wait_for("60 minutes")


def test_the_doctor_examines_on_entering_the_page_and_by_a_key_only(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="one")

    def calls(command: str) -> int:
        return int(client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])

    def wait_for_looks() -> None:
        """Each look reads the list of lanes once."""
        begun = calls("smembers")
        wait_until(lambda: calls("smembers") >= begun + 4, "further looks")

    with open_top(own_redis, own_queue.name) as terminal, own_redis.client() as facts:
        client: Any = facts
        # Of all who look here, the doctor alone sends pings; the server's start was waited for by some, too.
        before = calls("ping")
        terminal.wait_for("waiting 1")
        terminal.press("9")
        terminal.wait_for("ERRORS", "1 job waits, and no worker is there.", "→ Start one.", "persistence", "findings: ")
        wait_for_looks()
        once = calls("ping")
        assert once > before
        # Others look and filter, and the doctor rests.
        terminal.press("/")
        terminal.press("No worker")
        terminal.wait_for("1 of", "filter: No worker", without="persistence")
        terminal.press(ENTER)
        own_queue.enqueue({}, job_id="two")
        terminal.wait_for("waiting 2", "1 job waits, and no worker is there.")
        wait_for_looks()
        assert calls("ping") == once
        # By a key it looks again.
        terminal.press("r")
        terminal.wait_for("2 jobs wait, and no worker is there.")
        again = calls("ping")
        assert again > once
        # On another page it rests, and coming back is entering.
        terminal.press("3")
        terminal.wait_for("last seen", without="findings")
        own_queue.enqueue({}, job_id="three")
        wait_for_looks()
        assert calls("ping") == again
        terminal.press(ESCAPE)
        terminal.wait_for("3 jobs wait, and no worker is there.")


def test_an_examination_that_breaks_off_is_told_and_not_made_again_by_itself(
    own_redis: EmbeddedRedis, own_queue: Queue
) -> None:
    own_queue.enqueue({}, job_id="one")
    with own_redis.client() as facts:
        client: Any = facts
        # Whoever may run no scripts can't look for half-states, which is what an examination ends with.
        client.execute_command("ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all", "-eval", "-evalsha")
        settings = dataclasses.replace(settings_of(own_redis), username="ann", password="secret")
        wanted = Wanted(page=Page.DOCTOR, queue=own_queue.name, examination=1)
        with Inspector(settings) as inspector:
            examiner = Examiner(inspector)
            [row] = pages.look(inspector, examiner, wanted).listing.rows
            assert "forbids this user" in str(row.cells[-1])
            assert "Press r" in str(row.cells[-1])
            asked = client.info("commandstats")["cmdstat_ping"]["calls"]

            again = pages.look(inspector, examiner, dataclasses.replace(wanted, filter="forbids"))
            assert again.listing.rows == [row]
            assert client.info("commandstats")["cmdstat_ping"]["calls"] == asked

            client.execute_command("ACL", "SETUSER", "ann", "+@all")
            sound = pages.look(inspector, examiner, dataclasses.replace(wanted, examination=2))
            assert len(sound.listing.rows) > 5


def test_the_doctors_advice_is_folded_to_the_width_of_the_terminal(own_redis: EmbeddedRedis, own_queue: Queue) -> None:
    own_queue.enqueue({}, job_id="one")
    with open_top(own_redis, own_queue.name) as terminal:
        terminal.press("9")
        terminal.wait_for("The server has no replica", "→ Run one, unless producers put lost jobs back by themselves.")
        terminal.resize(60, 60)
        text = terminal.wait_for("by themselves.", without="producers put lost jobs back by themselves")
        assert "→ Run one, unless" in text


def test_all_pages_are_named_on_a_narrow_terminal(redis_server: RedisServer, queue: Queue) -> None:
    queue.enqueue({}, job_id="one")
    with open_top(redis_server, queue.name, columns=80) as terminal:
        terminal.wait_for("1 queues", "8 pace", "9 doctor", "cancelled ")


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
            "123456789",
            ("verdict", "lease left", "process", "urgent", "owner", "kind", "facts", "from (UTC)", "what to do"),
            strict=True,
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
