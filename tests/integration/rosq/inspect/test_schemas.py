"""What `--json` prints fits its schema, and the schemas in docs/ are those of this version."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from rosq import NewJob, Queue
from rosq.cli import main
from rosq.execution.settlement import Outcome, Settlement
from rosq.inspect.schema import LINES, VIEWS, make_schema, write_schemas
from tests.integration.rosq.commands.test_cli import command
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.rosq.conftest import Hands
    from tests.servers import RedisServer

FOLDER = Path(__file__).parents[4] / "docs" / "schemas"
#: What each command prints, by the name of its schema.
COMMANDS = [
    ("overview", "inspect"),
    ("overview", "inspect workers"),
    ("overview", "inspect lanes"),
    ("queues", "inspect queues"),
    ("jobs", "inspect jobs"),
    ("jobs", "inspect jobs --limit 1"),
    ("jobs", "inspect delayed"),
    ("job", "inspect job failed"),
    ("job", "inspect job waiting --show-data"),
    ("job", "inspect job nothing"),
    ("explain", "inspect explain active"),
    ("explain", "inspect explain nothing"),
    ("pending", "inspect pending"),
    ("errors", "inspect errors"),
    ("events", "inspect events"),
    ("throughput", "inspect throughput"),
    ("doctor", "doctor"),
    ("snapshot", "inspect snapshot"),
    ("steering", "retry failed nothing --dry-run"),
    ("steering", "move waiting --to urgent --dry-run"),
    ("steering", "drain --dry-run"),
    ("steering", "forget --keep 0 --dry-run"),
    ("steering", "pause --dry-run"),
    ("steering", "resume --dry-run"),
]


def forbid_more(schema: Any) -> Any:
    """The same schema, by which a field that it doesn't know is an error: readers allow it, this test doesn't."""
    if isinstance(schema, list):
        return [forbid_more(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: forbid_more(value) for key, value in schema.items()}
    if "properties" in schema:
        closed["additionalProperties"] = False
    return closed


def check(name: str, told: Any) -> None:
    schema = forbid_more(json.loads((FOLDER / f"{name}.json").read_text()))
    Draft202012Validator.check_schema(schema)
    problems = [error.message for error in Draft202012Validator(schema).iter_errors(told)]
    assert problems == []


@pytest.fixture
def full_queue(queue: Queue, make_hands: Callable[..., Hands]) -> Queue:
    """A queue with a job of each kind."""
    hands = make_hands("w1")
    for job_id, outcome in (("failed", Outcome.FAIL), ("completed", Outcome.COMPLETE), ("retried", Outcome.RETRY)):
        queue.enqueue({"order_id": 1}, job_id=job_id)
        delivery = hands.fetch().delivery
        assert delivery is not None
        error = "" if outcome is Outcome.COMPLETE else "ValueError: no"
        settlement = Settlement(delivery=delivery, outcome=outcome, error=error, delay_s=600.0)
        hands.consumer.exchange(settlement, (), is_fetching=False)
    queue.enqueue({}, job_id="active")
    hands.fetch()
    queue.enqueue_many([NewJob(job_id="waiting", data={"text": "x"}), NewJob(job_id="later", data={}, delay_s=60)])
    return queue


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_every_view_fits_its_schema(redis_server: RedisServer, full_queue: Queue, name: str, line: str) -> None:
    env = {**redis_server.env(), "ROSQ_QUEUE": full_queue.name}

    options = [] if name == "snapshot" else ["--json"]
    result = CliRunner().invoke(main, [*line.split(), *options], env=env)

    check(name, json.loads(result.stdout))


def test_a_snapshot_is_a_file_without_data_of_jobs(redis_server: RedisServer, queue: Queue, tmp_path: Path) -> None:
    queue.enqueue({"password": "s3cret"}, job_id="1")
    env = {**redis_server.env(), "ROSQ_QUEUE": queue.name}

    result = CliRunner().invoke(main, ["inspect", "snapshot", "-o", str(tmp_path / "queue.json")], env=env)

    text = (tmp_path / "queue.json").read_text()
    check("snapshot", json.loads(text))
    assert (result.exit_code, "queue.json" in result.stdout, "s3cret" in text) == (0, True, False)
    assert [job["job_id"] for job in json.loads(text)["jobs"]["waiting"]["jobs"]] == ["1"]
    nowhere = CliRunner().invoke(main, ["inspect", "snapshot", "-o", "/nowhere/queue.json"], env=env)
    assert (nowhere.exit_code, "/nowhere/queue.json" in nowhere.stderr) == (1, True)


def test_what_does_not_fit_is_found(redis_server: RedisServer, full_queue: Queue) -> None:
    env = {**redis_server.env(), "ROSQ_QUEUE": full_queue.name}
    told = json.loads(CliRunner().invoke(main, ["inspect", "--json"], env=env).stdout)

    for broken in ({**told, "waiting": "1"}, {**told, "more": 1}, {key: told[key] for key in told if key != "lanes"}):
        with pytest.raises(AssertionError):
            check("overview", broken)


def test_every_schema_has_a_command_here() -> None:
    assert {name for name, _ in COMMANDS} | set(LINES) == {*VIEWS, *LINES}


def test_lines_of_followed_events_fit_their_schema(redis_server: RedisServer, full_queue: Queue) -> None:
    env = {**redis_server.env(), "ROSQ_QUEUE": full_queue.name}
    arguments = command("inspect", "events", "-f", "--json")
    with subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        check("event", json.loads(process.stdout.readline()))
        process.terminate()

    check("event", {"version": 1, "view": "event", "queue": "q", "dropped": None})


def test_the_line_of_a_server_that_is_away_fits_its_schema() -> None:
    env = {"REDIS_PORT": str(free_port()), "ROSQ_QUEUE": "orders"}
    arguments = command("inspect", "--json", "--watch")
    with subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        check("error", json.loads(process.stdout.readline()))
        process.terminate()


def test_the_schemas_in_the_docs_are_those_of_this_version(tmp_path: Path) -> None:
    write_schemas(tmp_path)

    fresh = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert fresh == {path.name: path.read_text() for path in FOLDER.iterdir()}, (
        "A view has changed: run `python -m rosq.inspect.schema docs/schemas`, and raise JSON_VERSION where a field "
        "changed or went."
    )


def test_a_schema_is_printed_without_a_server() -> None:
    result = CliRunner().invoke(main, ["inspect", "schema", "job"], env={"REDIS_PORT": "1"})

    assert result.exit_code == 0
    assert json.loads(result.stdout) == make_schema("job")
