"""Every script keeps its header's word: what it answers, that a refusal writes nothing, and what a second call does."""

from __future__ import annotations

import importlib.resources
import importlib.util
import re
from typing import TYPE_CHECKING, Any

import pytest

from rosq import RedisSettings
from rosq.scripts import loader
from tests.integration.rosq.contracts import cancel_cases, maintenance_cases, queue_cases, steering_cases, worker_cases
from tests.integration.rosq.contracts.recorder import recorder, send_again
from tests.integration.rosq.contracts.stage import CASES, Case, Stage
from tests.servers import EmbeddedRedis, embedded_redis

if TYPE_CHECKING:
    from collections.abc import Iterator


#: Importing them has filled the table.
_FILLED = (cancel_cases, maintenance_cases, worker_cases, queue_cases, steering_cases)
_WITHOUT_CODE = {"promote_due"}
#: Scripts whose scenes stand in a test of their own: success, what they leave alone, and a second call.
_HELD_ELSEWHERE = dict.fromkeys(
    (
        "examine_entries",
        "examine_jobs",
        "examine_meta",
        "mend_entry",
        "mend_fields",
        "mend_finished",
        "mend_job",
        "mend_lane",
        "mend_lost",
        "mend_members",
        "mend_meta",
        "put_aside",
    ),
    "tests.integration.rosq.mend.test_repair",
)
_READS = {"EXISTS", "HEXISTS", "HGET", "HMGET", "LLEN", "SISMEMBER", "TIME", "TYPE", "XINFO", "XLEN", "XPENDING"}
_READS |= {"XRANGE", "XREVRANGE", "ZCARD", "ZCOUNT", "ZRANGE", "ZSCORE"}


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedRedis]:
    """A server that learns each script through the recorder."""
    with embedded_redis() as server:
        yield server


@pytest.fixture
def stage(server: EmbeddedRedis, queue_name: str) -> Iterator[Stage]:
    with recorder(server.host, server.port) as recording, server.client() as client:
        stage = Stage(recording, RedisSettings(port=recording.port), queue_name, client)
        try:
            yield stage
        finally:
            stage.close()


def code_of(name: str, answer: Any) -> Any:
    if name in _WITHOUT_CODE:
        return None
    if name == "heartbeat":
        return answer[1]
    if name == "enqueue":
        # Of the one job: what was simply put into its lane isn't spoken of.
        return answer[0][1] if answer else 1
    return int(answer[0]) if isinstance(answer, list) else int(answer)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_a_step_answers_as_promised_and_a_second_call_changes_nothing_more(stage: Stage, case: Case) -> None:
    # Given the scene
    play = case.play(stage)
    next(play)
    before = stage.dump(case.ignoring)

    # When the step is made
    with pytest.raises(StopIteration):
        next(play)

    # Then it answers what its header says, and has written something only if it did something
    call = stage.last(case.script)
    assert code_of(case.script, call.answer) == case.answer
    after = stage.dump(case.ignoring)
    assert (after != before) is case.is_writing

    # And whoever lost that answer and sends the same again is told so, and does no harm
    again = send_again(stage.client, call)
    assert code_of(case.script, again) == case.again
    if not case.is_writing_again:
        assert stage.dump(case.ignoring) == after


@pytest.mark.parametrize("name", loader.list_names())
def test_every_answer_that_a_scripts_header_names_is_in_the_table(name: str) -> None:
    if name in _HELD_ELSEWHERE:
        assert importlib.util.find_spec(_HELD_ELSEWHERE[name]), f"{name}: who holds it to its word?"
        return
    cases = [case for case in CASES if case.script == name]
    if is_reading_only(name):
        assert not written_by(name), f"{name}: its header says that it only reads"
        return

    assert [case for case in cases if case.is_writing], f"{name}: a scene in which it does its work is missing"
    missing = codes_in_header(name) - {case.answer for case in cases}
    assert not missing, f"{name}: no scene in which it answers {sorted(missing)}"


def header_of(name: str) -> str:
    text = loader.read(name)
    return " ".join(line.removeprefix("-- ") for line in text.split("-- @include")[0].splitlines())


def is_reading_only(name: str) -> bool:
    """Nothing can be lost or done twice by one of these."""
    return "Only reads." in header_of(name)


def written_by(name: str) -> set[str]:
    """The commands of a script, its shares included, that aren't known to only read."""
    called = re.findall(r"redis\.p?call\(\s*'(\w+)'", loader.load(name).source)
    assert called, f"{name}: it calls nothing"
    return set(called) - _READS


def codes_in_header(name: str) -> set[int]:
    """The codes that stand under `Returns`; a script that returns a count, or two times, names none."""
    returns = re.search(r"\bReturns (.*?)(?=Replay:|Events |Touches |local |$)", header_of(name))
    assert returns, f"{name}: its header doesn't say what it returns"
    return {int(code) for code in re.findall(r"(?:^|[ ,(])(-?\d)(?=[ ,.)])", returns.group(1))}
