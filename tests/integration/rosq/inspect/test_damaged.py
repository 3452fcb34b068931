"""A queue with a key of another type than rosq's: told as damaged, beside the others, and how it is put right."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rosq import JobState, NewJob, Queue
from rosq.cli import main
from rosq.errors import QueueDamaged
from rosq.inspect.inspector import Inspector
from tests.integration.rosq.conftest import Hands, settings_of
from tests.integration.rosq.inspect.test_schemas import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import EmbeddedRedis, RedisServer

#: The keys that a view of the queue reads first of all.
READ = ["meta", "lanes", "workers", "delayed", "completed", "failed", "cancelled", "lane:main", "worker:w1"]


def run(server: RedisServer, queue: str | None, line: str) -> Result:
    env = {**server.env(), "ROSQ_QUEUE": queue, "ROSQ_OPERATOR": "ann", "COLUMNS": "250"}
    return CliRunner().invoke(main, line.split(), env=env)


def key_of(queue: Queue, name: str) -> str:
    return queue.keys.pattern.removesuffix("*") + name


def overwrite(client: Any, key: str) -> None:
    """As another program does it that takes the key for its own."""
    client.set(key, "not ours")


@pytest.fixture
def sound(own_redis: EmbeddedRedis) -> Iterator[Queue]:
    with Queue(settings_of(own_redis), "zebra") as queue:
        queue.enqueue({}, job_id="sound")
        yield queue


@pytest.fixture
def letters(own_redis: EmbeddedRedis, sound: Queue) -> Iterator[Queue]:
    """A queue to be damaged, beside a sound one: a job that waits, one for later, and one in a worker's hands."""
    with Queue(settings_of(own_redis), "letters") as queue:
        hands = Hands(queue, "w1", 30.0, None)
        assert hands.consumer.hold_name() is None
        queue.enqueue({}, job_id="in-hand")
        assert hands.fetch().delivery is not None
        queue.enqueue_many([NewJob(job_id="waits", data={}), NewJob(job_id="later", data={}, delay_s=3_000)])
        yield queue
        hands.close()


@pytest.fixture
def client(own_redis: EmbeddedRedis) -> Iterator[Any]:
    with own_redis.client() as client:
        yield client


@pytest.mark.parametrize("name", READ)
def test_a_damaged_queue_stands_in_the_list_beside_the_others(
    own_redis: EmbeddedRedis, letters: Queue, client: Any, name: str
) -> None:
    overwrite(client, key_of(letters, name))

    result = run(own_redis, None, "inspect queues")

    assert re.search(r"^letters +DAMAGED: run rosq doctor +– +–", result.stdout, re.MULTILINE)
    assert re.search(r"^zebra +DEGRADED +1 ", result.stdout, re.MULTILINE)
    assert "`rosq --queue letters doctor`" in result.stdout
    assert result.exit_code == 4


def test_a_damaged_queue_is_listed_in_json_too(own_redis: EmbeddedRedis, letters: Queue, client: Any) -> None:
    overwrite(client, letters.keys.delayed)

    result = run(own_redis, None, "inspect queues --json")

    told = json.loads(result.stdout)
    check("queues", told)
    assert [(each["queue"], each["waiting"]) for each in told["queues"]] == [("zebra", 1)]
    [damaged] = told["unreadable"]
    assert (damaged["queue"], damaged["verdict"], told["count"]) == ("letters", "DAMAGED", 2)
    assert "`rosq --queue letters doctor`" in damaged["problems"][0]
    assert result.exit_code == 4


def test_queues_that_are_sound_are_no_inconsistency(own_redis: EmbeddedRedis, letters: Queue) -> None:
    result = run(own_redis, None, "inspect queues --json")

    assert (json.loads(result.stdout)["unreadable"], result.exit_code) == ([], 0)


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("view", ["inspect", "inspect --json", "inspect workers", "inspect snapshot"])
def test_a_view_of_a_damaged_queue_says_so_and_what_to_run(
    own_redis: EmbeddedRedis, letters: Queue, client: Any, name: str, view: str
) -> None:
    overwrite(client, key_of(letters, name))

    result = run(own_redis, "letters", view)

    assert "Queue letters is damaged" in result.stderr
    assert "`rosq --queue letters doctor`" in result.stderr
    assert result.exit_code == 4
    if "--json" in view:
        told = json.loads(result.stdout)
        check("error", told)
        assert (told["kind"], told["queue"], told["problems"][0] in result.stderr) == ("damaged", "letters", True)
    else:
        assert result.stdout == ""


@pytest.mark.parametrize("name", [*READ, "events"])
def test_the_doctor_names_the_key_and_what_it_advises_puts_the_queue_right(
    own_redis: EmbeddedRedis, letters: Queue, client: Any, name: str
) -> None:
    key = key_of(letters, name)
    overwrite(client, key)

    result = run(own_redis, "letters", "doctor --json")

    told = json.loads(result.stdout)
    check("doctor", told)
    [finding] = [each for each in told["findings"] if (each["subject"], each["level"]) == ("keys", "error")]
    assert key in finding["seen"]
    assert (told["verdict"], told["is_inconsistent"], result.exit_code) == ("ERRORS", True, 4)
    # What the server is like is told all the same.
    assert {"version", "memory", "persistence"} <= {each["subject"] for each in told["findings"]}

    assert "`rosq repair --why …`" in finding["advice"]
    assert run(own_redis, "letters", "repair --wait 0 --why damaged").exit_code == 0
    assert not json.loads(run(own_redis, "letters", "doctor --json").stdout)["is_inconsistent"]
    assert run(own_redis, None, "inspect queues").exit_code == 0
    jobs = letters.find_jobs(["waits", "later", "in-hand"]).values()
    assert len(jobs) == 3
    assert {job.state for job in jobs} <= {JobState.WAITING, JobState.DELAYED, JobState.ACTIVE}
    # What was there is put aside, not thrown away.
    [aside] = client.scan_iter(match=f"{letters.keys.aside_prefix}*:{name}")
    assert client.get(aside) == "not ours"


def test_the_doctor_names_several_keys_each(own_redis: EmbeddedRedis, letters: Queue, client: Any) -> None:
    for key in (letters.keys.failed, letters.keys.lane("main")):
        overwrite(client, key)

    result = run(own_redis, "letters", "doctor")

    assert letters.keys.failed in result.stdout
    assert letters.keys.lane("main") in result.stdout


def test_the_doctor_tells_of_a_damaged_key_that_nothing_lists(
    own_redis: EmbeddedRedis, letters: Queue, client: Any
) -> None:
    overwrite(client, letters.keys.lane("nobodys"))

    result = run(own_redis, "letters", "doctor")

    assert letters.keys.lane("nobodys") in result.stdout
    assert result.exit_code == 4


def test_one_job_of_another_type_is_named_and_hides_no_other(
    own_redis: EmbeddedRedis, letters: Queue, client: Any
) -> None:
    overwrite(client, letters.keys.job("in-hand"))

    overview = run(own_redis, "letters", "inspect")

    assert "names job in-hand, whose key is of another type" in overview.stdout
    assert "waiting" in overview.stdout
    assert overview.exit_code == 4
    assert run(own_redis, None, "inspect queues").stdout.count("DEGRADED") == 2
    assert "(malformed): in-hand" in run(own_redis, "letters", "doctor").stdout
    jobs = run(own_redis, "letters", "inspect jobs --state active")
    assert re.search(r"in-hand +unreadable", jobs.stdout), jobs.stdout
    assert jobs.exit_code == 4


def test_who_looks_by_code_gets_an_error_of_its_own(own_redis: EmbeddedRedis, letters: Queue, client: Any) -> None:
    overwrite(client, letters.keys.meta)

    with Inspector(settings_of(own_redis)) as inspector, pytest.raises(QueueDamaged) as caught:
        inspector.list_pending("letters", limit=10)

    assert caught.value.queue == "letters"


def test_the_doctor_needs_no_further_right_to_tell_of_it(
    own_redis: EmbeddedRedis, letters: Queue, client: Any, make_reader: Callable[[], dict[str, str]]
) -> None:
    overwrite(client, letters.keys.delayed)

    result = CliRunner().invoke(main, ["--queue", "letters", "doctor"], env=make_reader())

    assert letters.keys.delayed in result.stdout
    assert result.exit_code == 4


@pytest.fixture
def make_reader(own_redis: EmbeddedRedis, client: Any) -> Callable[[], dict[str, str]]:
    """A user with the rights that docs/servers.md gives to those who only look."""
    from tests.integration.rosq.connection.test_ways import list_acl_lines

    def make() -> dict[str, str]:
        line = next(line for line in list_acl_lines() if "rosq-reader" in line)
        client.execute_command(*line.replace("PASSWORD", "secret").split())
        return {**own_redis.env(), "REDIS_USERNAME": "rosq-reader", "REDIS_PASSWORD": "secret"}

    return make
