"""Every option of every command, with what no program can count with or write down: one sentence, never a traceback."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from orders_service.cli import cli as orders_service
from rosq.cli import main as rosq
from rosq.commands.values import Days, Seconds
from worker.cli import cli as worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

Way = tuple[str, ...]

NUMBERS = ["nan", "inf", "-inf", "1e10", "1e300", "-1e300", "9" * 400, "-5", "5e-400e", ""]
#: Nothing is listening there: a command that got through its options ends soon.
AWAY = {
    "DB_PORT": "1",
    "REDIS_PORT": "1",
    "ORDERS_SERVICE_PORT": "1",
    "ROSREESTR_CRYPTO_SECRET": "no secret, but as long as one has to be",
}


def commands_of(command: click.Command, way: Way = ()) -> Iterator[tuple[Way, click.Command]]:
    yield way, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands_of(inner, (*way, name))


def is_number(parameter: click.Parameter) -> bool:
    return isinstance(
        parameter.type, (click.types.IntParamType, click.types.FloatParamType, click.IntRange, click.FloatRange)
    )


def found(command: click.Command, kind: Any) -> list[Any]:
    return [
        pytest.param(way, parameter, id=" ".join((*way, parameter.human_readable_name)))
        for way, inner in commands_of(command)
        for parameter in inner.params
        if kind(parameter)
    ]


OF_ORDERS_SERVICE = found(orders_service, is_number)
OF_WORKER = found(worker, is_number)


def run(command: click.Command, way: Way, given: dict[str, str], folder: Path, env: dict[str, str]) -> Result:
    """Run a command with this, and with something for all else that it must have."""
    inner = dict(commands_of(command))[way]
    words: list[str] = []
    arguments: list[str] = []
    for parameter in inner.params:
        if isinstance(parameter, click.Argument):
            arguments.append(given.get(parameter.name or "", "1"))
        elif parameter.name in given:
            words.append(f"{parameter.opts[0]}={given[parameter.name]}")
        elif parameter.required or parameter.name == "case_no":
            words.append(f"{parameter.opts[0]}={filled(parameter, folder)}")
    return CliRunner().invoke(command, [*way, *words, "--", *arguments], env={**AWAY, **env})


def filled(parameter: click.Parameter, folder: Path) -> str:
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    if isinstance(parameter.type, click.File):
        return "-"
    if isinstance(parameter.type, click.Path):
        path = folder / "file.csv"
        path.write_text("{}")
        return str(path)
    return "1"


def require_refused(result: Result, words: str) -> None:
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert (result.exit_code, words in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize(
    ("command", "way", "parameter"),
    [
        *(pytest.param(orders_service, *one.values, id=f"orders-service {one.id}") for one in OF_ORDERS_SERVICE),
        *(pytest.param(worker, *one.values, id=f"rosq-worker {one.id}") for one in OF_WORKER),
    ],
)
def test_what_nobody_can_count_with_is_refused(
    command: click.Command, way: Way, parameter: click.Parameter, tmp_path: Path
) -> None:
    for text in NUMBERS:
        require_refused(run(command, way, {parameter.name or "": text}, tmp_path, {}), "Invalid value for")
        if parameter.envvar and text:
            variables = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar
            for variable in variables:
                require_refused(run(command, way, {}, tmp_path, {variable: text}), "Invalid value for")


@pytest.mark.parametrize(("way", "parameter"), found(rosq, is_number))
def test_no_number_of_the_queues_command_is_without_bounds(way: Way, parameter: click.Parameter) -> None:
    for text in NUMBERS:
        with pytest.raises(click.BadParameter):
            parameter.type.convert(text, parameter, None)


@pytest.mark.parametrize(
    ("command", "way", "parameter"),
    [
        pytest.param(command, *one.values, id=str(one.id))
        for command, table in ((orders_service, OF_ORDERS_SERVICE), (worker, OF_WORKER))
        for one in table
        if isinstance(one.values[1].type, (Days, Seconds))
    ],
)
def test_the_longest_time_that_an_option_takes_can_be_counted_with(
    command: click.Command, way: Way, parameter: Any, tmp_path: Path
) -> None:
    result = run(command, way, {parameter.name: str(parameter.type.max)}, tmp_path, {})

    assert isinstance(result.exception, SystemExit), repr(result.exception)


@pytest.mark.parametrize("option", ["since", "before"])
@pytest.mark.parametrize("way", [("orders", "list"), ("orders", "export")])
def test_a_day_that_no_clock_can_tell_is_refused(
    way: Way, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Moscow")
    time.tzset()
    try:
        require_refused(run(orders_service, way, {option: "0001-01-01"}, tmp_path, {}), "no clock can count with")
    finally:
        monkeypatch.undo()
        time.tzset()


def is_text(parameter: click.Parameter) -> bool:
    return isinstance(parameter.type, click.types.StringParamType) and not getattr(parameter, "is_flag", False)


@pytest.mark.parametrize(
    ("command", "way", "parameter"),
    [
        pytest.param(command, *one.values, id=f"{name} {one.id}")
        for name, command in (("orders-service", orders_service), ("rosq-worker", worker))
        for one in found(command, is_text)
    ],
)
def test_words_in_another_encoding_are_refused(
    command: click.Command, way: Way, parameter: click.Parameter, tmp_path: Path
) -> None:
    given = {parameter.name or "": os.fsdecode("Банк".encode("cp1251"))}
    if not way and isinstance(command, click.Group):
        result = CliRunner().invoke(command, [f"{parameter.opts[0]}={given[parameter.name or '']}", "orders", "list"])
    else:
        result = run(command, way, given, tmp_path, {})

    require_refused(result, "isn't UTF-8")


def test_the_tables_above_have_rows() -> None:
    assert len(OF_ORDERS_SERVICE) > 10
    assert len(OF_WORKER) == 10
    assert len(found(rosq, is_number)) > 5
    assert len(found(orders_service, is_text)) > 20
