"""Names, settings, errors, retries and scripts: what needs no server."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis.exceptions

import rosq
from rosq.connection.translating import translate
from rosq.execution.settlement import Outcome
from rosq.job import Enqueued, EnqueuedMany, EnqueueOutcome, Event, JobState
from rosq.names import check_name
from rosq.retry import RetryPolicy
from rosq.scripts import loader
from rosq.scripts.loader import Code
from rosq.settings import QueueSettings, RedisSettings, WorkerSettings
from rosq.signals import Fail, JobSignal, Release, Snooze
from rosq.store.keys import Keys

if TYPE_CHECKING:
    import tenacity

SCRIPTS = Path(rosq.__file__).parent / "scripts"


def _every_redis_error() -> list[type[Exception]]:
    found = [kind for _, kind in inspect.getmembers(redis.exceptions, inspect.isclass)]
    return [kind for kind in found if issubclass(kind, redis.exceptions.RedisError)]


# -- names ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "a b", "a{b}", "ä", "x" * 65, "a/b"])
def test_a_queue_name_that_breaks_the_rule_is_refused(name: str) -> None:
    with pytest.raises(rosq.InvalidName, match="can't be named"):
        Keys(name)


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "\u200b", "x" * 129, "~recovery"])
def test_a_lane_job_or_worker_name_that_breaks_the_rule_is_refused(name: str) -> None:
    with pytest.raises(rosq.InvalidName, match="lane"):
        check_name("lane", name)


def test_all_keys_of_a_queue_share_its_hash_tag() -> None:
    keys = Keys("order-processing")
    made = [keys.lane("a"), keys.lane_bell("a"), keys.job("1"), keys.worker("w"), keys.name_bell("w")]
    made += [value for value in vars(keys).values() if value != "order-processing"]

    assert all("{order-processing}" in key for key in made)
    assert len(set(made)) == len(made)


# -- settings ------------------------------------------------------------------


def test_redis_settings_come_from_the_environment_and_empty_means_default() -> None:
    environ = {"REDIS_HOST": "redis", "REDIS_PORT": "7000", "REDIS_PASSWORD": "", "REDIS_DB": "3"}

    settings = RedisSettings.from_env(environ)

    assert (settings.host, settings.port, settings.password, settings.db) == ("redis", 7000, None, 3)
    assert RedisSettings.from_env({}) == RedisSettings()


@pytest.mark.parametrize("environ", [{"REDIS_PORT": "abc"}, {"REDIS_PORT": "70000"}, {"REDIS_DB": "-1"}])
def test_a_wrong_environment_is_refused_by_name(environ: dict[str, str]) -> None:
    with pytest.raises(rosq.InvalidSettings, match=next(iter(environ))):
        RedisSettings.from_env(environ)


def test_the_password_is_never_printed() -> None:
    settings = RedisSettings(password="hush")

    assert "hush" not in repr(settings)
    assert "hush" not in settings.address


@pytest.mark.parametrize(
    "make",
    [
        lambda: WorkerSettings(lease_s=0),
        lambda: WorkerSettings(run_timeout_s=0),
        lambda: WorkerSettings(grace_s=-1),
        lambda: WorkerSettings(round_s=0),
        lambda: QueueSettings(max_crashes=0),
        lambda: QueueSettings(keep_failed=-1),
        lambda: QueueSettings(crash_pause_s=-1),
    ],
)
def test_settings_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(rosq.InvalidSettings):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("lease_s", [0.3001, 1 / 3, 2.0003, 30.0])
def test_a_lease_is_never_shorter_to_redis_than_to_its_holder(lease_s: float) -> None:
    settings = WorkerSettings(lease_s=lease_s)

    assert settings.lease_s <= settings.lease_ms / 1000 < settings.lease_s + 0.001


# -- retries and signals ------------------------------------------------------------------


def test_the_default_pauses_grow_exponentially_from_two_seconds_with_jitter() -> None:
    policy = RetryPolicy()

    pauses = [policy.pause_s(attempt, ValueError()) for attempt in (1, 2, 3)]

    assert [2 <= pauses[0] < 3, 4 <= pauses[1] < 5, 8 <= pauses[2] < 9] == [True, True, True]
    assert [policy.is_last(attempt) for attempt in (1, 2, 3)] == [False, False, True]


def test_a_wait_strategy_sees_the_attempt_and_its_error() -> None:
    seen: list[tuple[int, BaseException | None]] = []
    error = ValueError("x")

    def wait(state: tenacity.RetryCallState) -> float:
        assert state.outcome is not None
        seen.append((state.attempt_number, state.outcome.exception()))
        return 5.0

    assert RetryPolicy(wait=wait).pause_s(2, error) == 5.0
    assert seen == [(2, error)]


def test_a_policy_without_attempts_is_refused() -> None:
    with pytest.raises(ValueError, match="max_attempts"):
        RetryPolicy(max_attempts=0)


def test_signals_are_not_errors_and_check_what_they_are_given() -> None:
    for signal in (Snooze(1), Release(), Fail("no")):
        assert isinstance(signal, JobSignal)
        assert not isinstance(signal, rosq.RosqError)
    for delay_s in (-1, float("nan")):
        with pytest.raises(ValueError, match="snooze"):
            Snooze(delay_s)
    with pytest.raises(rosq.InvalidName):
        Release("a lane")


# -- errors ------------------------------------------------------------------


@pytest.mark.parametrize("kind", _every_redis_error())
def test_every_error_of_the_client_library_is_translated(kind: type[Exception]) -> None:
    error = kind.__new__(kind)

    assert isinstance(translate(error, "redis:6379/0"), rosq.RosqError)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (redis.exceptions.ConnectionError("refused"), rosq.ServerUnreachable),
        (redis.exceptions.TimeoutError("slow"), rosq.ServerUnreachable),
        (redis.exceptions.BusyLoadingError("loading"), rosq.ServerUnready),
        (redis.exceptions.ReadOnlyError("You can't write against a read only replica."), rosq.ServerUnready),
        (redis.exceptions.ResponseError("UNBLOCKED force unblock from blocking operation"), rosq.ServerUnready),
        (redis.exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), rosq.ServerUnready),
        (
            redis.exceptions.ResponseError("ERR Error running script: @user_script:1: READONLY You can't write"),
            rosq.ServerUnready,
        ),
        (redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), rosq.ServerFull),
        (redis.exceptions.ResponseError("ERR Error running script: -OOM command not allowed"), rosq.ServerFull),
        (redis.exceptions.AuthenticationError("invalid password"), rosq.ServerRefused),
        (redis.exceptions.NoPermissionError("this user has no permissions"), rosq.ServerRefused),
        (redis.exceptions.ResponseError("WRONGTYPE Operation against a key"), rosq.ScriptFailed),
        (OSError("broken pipe"), rosq.ServerUnreachable),
    ],
)
def test_errors_are_told_apart_by_what_the_caller_can_do(error: Exception, expected: type[rosq.RosqError]) -> None:
    assert type(translate(error, "redis:6379/0")) is expected


def test_messages_are_one_sentence_of_what_is_wrong_and_one_of_what_to_do() -> None:
    message = str(translate(redis.exceptions.ConnectionError("Connection refused."), "redis:6379/0"))

    assert message.startswith("Redis at redis:6379/0 can't be reached: Connection refused. Check")


# -- scripts ------------------------------------------------------------------


@pytest.mark.parametrize("name", loader.list_names())
def test_every_script_opens_with_its_contract(name: str) -> None:
    text = loader.read(name)
    header = text[: re.search(r"^(?!--)", text, re.MULTILINE).start()]  # type: ignore[union-attr]

    for part in ("KEYS[1", "Returns", "Replay"):
        assert part in header


@pytest.mark.parametrize("name", loader.list_names())
def test_a_script_has_each_share_once_and_no_include_left(name: str) -> None:
    source = loader.load(name).source

    assert "@include" not in source
    definitions = re.findall(r"^local function (\w+)", source, re.MULTILINE)
    assert len(definitions) == len(set(definitions))


def test_constants_stand_in_the_place_of_their_names_and_nowhere_else() -> None:
    source = loader.load("complete", KEEP_COMPLETED=7, KEEP_COMPLETED_MS=8).source

    assert "told, finished, keep, keep_ms = 'completed', keys[8], 7, 8" in source
    assert "KEEP_DELIVERIES" in source


def test_numbers_above_2_to_the_50_are_never_printed_by_concatenation() -> None:
    scripts = sorted(SCRIPTS.rglob("*.lua"))

    assert scripts
    for path in scripts:
        code = re.sub(r"--.*", "", path.read_text())
        assert not re.search(
            r"(now_us|now_ms|fence)\s*\.\.|\.\.\s*(now_us|now_ms|fence)\b|tostring\((now|fence)", code
        ), path


def test_the_codes_of_lua_and_python_are_the_same() -> None:
    found: dict[str, int] = {}
    for share in ("holder", "put_back"):
        text = loader.read_shared(share)
        names, values = re.findall(r"^local ([A-Z_, ]+) = ([-0-9, ]+)$", text, re.MULTILINE)[0]
        found |= dict(zip(names.split(", "), map(int, values.split(", ")), strict=True))

    assert found == {code.name: code.value for code in Code}


def test_every_event_that_a_script_writes_is_listed_and_documented() -> None:
    written: set[str] = set()
    for path in SCRIPTS.rglob("*.lua"):
        written |= set(re.findall(r"(?:record\([^)]*?,|'event',|\btold[\w, ]* =) '(\w+)'", path.read_text()))
    documented = (Path(rosq.__file__).parent.parent / "docs" / "events.md").read_text()

    assert written == {event.value for event in Event}
    assert all(f"`{event.value}`" in documented for event in Event)


def test_every_outcome_has_its_script() -> None:
    assert {outcome.script for outcome in Outcome} <= set(loader.list_names())


def test_every_exported_name_exists_and_every_public_class_is_documented() -> None:
    for name in rosq.__all__:
        assert getattr(rosq, name).__doc__, name


def test_the_answers_to_many_jobs_are_a_sequence_like_any_other() -> None:
    others = {1: (EnqueueOutcome.CONFLICT, JobState.ACTIVE), 2: (EnqueueOutcome.DUPLICATE, JobState.DELAYED)}
    answers = EnqueuedMany(["a", "b", "c"], others)
    made = [
        Enqueued(job_id="a", outcome=EnqueueOutcome.CREATED, state=JobState.WAITING),
        Enqueued(job_id="b", outcome=EnqueueOutcome.CONFLICT, state=JobState.ACTIVE),
        Enqueued(job_id="c", outcome=EnqueueOutcome.DUPLICATE, state=JobState.DELAYED),
    ]

    assert [*answers] == made
    assert len(answers) == 3
    assert answers[-1] == made[2]
    assert [*answers[1:]] == made[1:]
    assert answers == (*made,)
    assert answers != made[:2]
    assert repr(answers) == repr(made)
    with pytest.raises(IndexError):
        answers[3]
