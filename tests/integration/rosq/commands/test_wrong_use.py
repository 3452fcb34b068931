"""What is said to somebody who typed something wrong: never what may be a secret, and always what was meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner, Result

from rosq import Queue
from rosq.cli import main
from tests.integration.rosq.commands.every_command import DEEDS, LOOKS, walk
from tests.integration.rosq.conftest import settings_of
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import EmbeddedRedis, RedisServer

SECRET = "pa55-w0rd"
URL = f"redis://ann:{SECRET}@127.0.0.1:1/0"
COMMANDS = dict(walk())


@pytest.fixture
def run(redis_server: RedisServer, queue: Queue) -> Callable[..., Result]:
    def run(*arguments: str, **env: str) -> Result:
        env = {**redis_server.env(), "ROSQ_QUEUE": queue.name, "ROSQ_OPERATOR": "ann", "COLUMNS": "300", **env}
        return CliRunner().invoke(main, list(arguments), env=env)

    return run


def list_options(command: click.Command) -> Iterator[str]:
    for each in command.params:
        if isinstance(each, click.Option) and not each.is_flag and each.opts[-1] != "--help":
            yield each.opts[-1]


def needed(path: str) -> list[str]:
    return {**LOOKS, **DEEDS, "top": ""}[path].format(n=1).split()


#: Every option of every command that takes a value, with a secret where its value belongs.
OPTIONS = [(path, option) for path, command in COMMANDS.items() for option in list_options(command)]
#: What says which jobs, lanes and people are meant: it is a name, and belongs into what is said.
NAMES = {"--lane", "--worker", "--job", "--to", "--why", "--by", "--id", "--error"}


@pytest.mark.parametrize("value", [SECRET, URL])
@pytest.mark.parametrize(("path", "option"), [pair for pair in OPTIONS if pair[1] not in NAMES])
def test_no_option_repeats_a_value_that_is_wrong(
    run: Callable[..., Result], path: str, option: str, value: str
) -> None:
    for given in ([option, value], [f"{option}={value}"]):
        result = run(*path.split(), *needed(path), *given)

        if result.exit_code == 2:
            assert SECRET not in result.output
            assert result.stderr.count("\n") <= 6


@pytest.mark.parametrize("path", COMMANDS)
def test_no_command_repeats_an_argument_too_many_or_an_option_that_belongs_elsewhere(
    run: Callable[..., Result], path: str
) -> None:
    words = [*path.split(), *needed(path)]
    wrong = [
        [*words, SECRET, URL] if "ID" not in run(*path.split(), "--help").stdout else [*path.split(), "--nonsense=x"],
        [*words, "--redis-password", SECRET],
        [*words, f"--redis-password={SECRET}"],
        [*words, f"--redis-password{SECRET}"],
        [*words, f"--redis-url={URL}"],
        [*words, "--url", URL],
        [*words, f"-a{SECRET}"],
        [*words, f"--nonsense={SECRET}"],
        [*words, "--json", f"--nonsense={SECRET}"],
        ["--redis-password", SECRET, *words, "--nonsense"],
        [SECRET, *words],
        ["inspect", SECRET],
    ]

    for line in wrong:
        result = run(*line)

        assert (line, result.exit_code) == (line, 2)
        assert SECRET not in result.output


@pytest.mark.parametrize("option", list(list_options(main)))
@pytest.mark.parametrize(
    "value", [SECRET, URL, f"http://{SECRET}@h", f"redis://{SECRET}@", f"rediss://a:{SECRET}@h:x/0", f"a:{SECRET}@h:1"]
)
def test_no_option_of_the_server_repeats_what_is_in_a_wrong_place(option: str, value: str) -> None:
    for env in ({}, {option.removeprefix("--").upper().replace("-", "_"): value}):
        given = [] if env else [option, value]

        result = CliRunner().invoke(main, [*given, "inspect", "--json"], env={"REDIS_PORT": "1", **env})

        assert result.exit_code in (1, 2, 3)
        is_name = value == SECRET and option in (
            "--queue",
            "--redis-host",
            "--redis-sentinels",
            "--redis-cluster-nodes",
        )
        is_path = value == SECRET and option in ("--redis-unix-socket", "--redis-sentinel-master")
        assert is_name or is_path or SECRET not in result.output


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("jobs", "`main inspect jobs`"),
        ("events", "`main inspect events`"),
        ("explain 1", "`main inspect explain`"),
        ("inspect failed", "`main inspect jobs --state failed`"),
        ("inspect waiting", "`main inspect jobs --state waiting`"),
        ("failed", "`main inspect jobs --state failed`"),
        ("inspect retry", "`main retry`"),
        ("inspct", "`main inspect`"),
        ("inspect job", "Missing argument 'ID'"),
    ],
)
def test_a_command_that_stands_elsewhere_is_told_its_place(run: Callable[..., Result], line: str, meant: str) -> None:
    result = run(*line.split())

    assert result.exit_code == 2
    assert meant in result.stderr


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("inspect workers --min-alive 1000", 5, "Too few: 0 workers are alive, wanted are 1,000."),
        ("inspect --max-waiting-age 0", 5, "A job has been waiting for"),
        ("forget --keep 1 --remember 1h --forget-id --why x", 2, "give one of them"),
        ("repair --wait nan --why x", 2, "no number of seconds"),
        ("repair --wait inf --why x", 2, "is not in the range"),
        ("inspect --watch nan", 2, "no number of seconds"),
        ("forget --older-than 99999999999d --why x", 2, "is no duration"),
    ],
)
def test_no_probe_is_silent_and_no_number_that_is_none_is_taken(
    run: Callable[..., Result], queue: Queue, line: str, code: int, told: str
) -> None:
    queue.enqueue({}, job_id="1")

    result = run(*line.split())

    assert (result.exit_code, told in result.stderr) == (code, True)


VIEWS = [path for path in [*LOOKS, *DEEDS] if path not in ("inspect snapshot", "inspect schema")]


@pytest.mark.parametrize("path", VIEWS)
def test_with_json_every_command_answers_json_whatever_is_wrong(own_server: RedisServer, path: str) -> None:
    words = [*path.split(), *needed(path), "--json"]
    for env, kind, code in (
        ({}, "no_queue", 1),
        ({"REDIS_PORT": str(free_port())}, "unreachable", 3),
        ({"REDIS_PASSWORD": "wrong"}, "refused", 3),
        ({"REDIS_PORT": "many"}, "usage", 2),
        ({"ROSQ_QUEUE": "a b"}, "usage", 2),
    ):
        result = CliRunner().invoke(main, words, env={**own_server.env(), **env})

        told = json.loads(result.stdout)
        if path == "inspect queues" and kind == "no_queue":
            assert (result.exit_code, told["queues"]) == (0, [])
            continue
        assert (result.exit_code, told["version"], told["view"], told["kind"]) == (code, 1, "error", kind)
        assert len(told["problems"]) == 1
        assert told["problems"][0] in result.stderr


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedRedis]:
    """A server without any queue."""
    from tests.servers import embedded_redis

    with embedded_redis() as server:
        yield server


def test_a_queue_that_only_a_mistyped_start_made_is_in_nobodys_way(own_redis: EmbeddedRedis) -> None:
    env = own_redis.env()
    with Queue(settings_of(own_redis), "orders") as queue:
        queue.enqueue({}, job_id="1")
    with own_redis.client() as client:
        client.hset("rosq:{ordres}:meta", "schema_version", 1)
        client.sadd("rosq:queues", "ordres")

    assert "queue orders" in CliRunner().invoke(main, ["inspect"], env=env).stdout

    with Queue(settings_of(own_redis), "letters") as queue:
        queue.enqueue({}, job_id="1")
    several = CliRunner().invoke(main, ["inspect"], env=env)
    assert several.exit_code == 2
    assert "There are several queues: letters, orders." in several.stderr
