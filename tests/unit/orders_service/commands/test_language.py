"""The shell in Russian: everything that customers and operators read, and nothing of what is for machines."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest
from click.testing import CliRunner

import orders_service
from orders_service.cli import cli
from orders_service.commands import language
from orders_service.commands.language import Language, russian, russian_help
from orders_service.v1 import errors_pb2, operator_pb2
from tests.unit.test_options import commands_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(orders_service.__file__).parent / "commands"
#: What customers and operators use day by day; the others' words are English.
FILES: Final = [
    *(
        FOLDER / f"{name}.py"
        for name in (
            "accounts",
            "client",
            "counting",
            "deciding",
            "exporting",
            "extract_file",
            "following",
            "order_file",
            "order_filters",
            "order_output",
            "orders",
            "session_file",
            "submitting",
            "watching",
            "token_webhook",
            "webhooks",
        )
    ),
    # What is told of a file with a session, in its own words.
    *(
        FOLDER.parent / "accounts" / "session_file" / f"{name}.py"
        for name in ("found", "json_forms", "reading", "text_forms")
    ),
]
GROUPS: Final = (("orders",), ("accounts",), ("webhooks",), ("tokens", "webhook"))
#: Where sentences go out.
SINKS: Final = {"say", "tr", "Failure", "UsageError", "WrongSetting", "TimeIsUp", "fail", "SessionUnreadable"}
#: States and the like are codes, the same in every language; so are marks around values.
CODE: Final = re.compile(r"[a-z_]+|[\W\d]*(?:\{\*?\}[\W\d]*)*")
PLACE: Final = re.compile(r"\{\*?\}")


def shapes_of(node: ast.expr) -> list[str]:
    """The sentences that an expression can be, with {} for values."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return shapes_of(node.body) + shapes_of(node.orelse)
    if isinstance(node, ast.JoinedStr):
        shapes = [""]
        for part in node.values:
            choices = ["{}"]
            if isinstance(part, ast.Constant):
                choices = [str(part.value)]
            elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.IfExp):
                choices = shapes_of(part.value) or ["{}"]
            shapes = [shape + choice for shape in shapes for choice in choices]
        return shapes
    return []


def sentences_of(path: Path) -> Iterator[str]:
    """What a file says: sentences, but for codes and values alone, and the headings and names of its tables."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SINKS and node.args:
            yield from (text for text in shapes_of(node.args[0]) if not CODE.fullmatch(text))
        elif name == "print_table" and isinstance(node.args[0], ast.Tuple):
            for heading in node.args[0].elts:
                yield from shapes_of(heading)
        elif name == "print_facts":
            for pair in ast.walk(node.args[0]):
                if isinstance(pair, ast.Tuple) and len(pair.elts) == 2:
                    yield from shapes_of(pair.elts[0])


KNOWN: Final = {PLACE.sub("{}", text) for text in (*russian.WORDS, *russian.SENTENCES)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_sentence_and_heading_is_known_in_russian(path: Path) -> None:
    said = set(sentences_of(path))

    assert said
    assert said - KNOWN == set()


def paragraphs(text: str | None) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text or "")):
        if paragraph and not paragraph.startswith("\b"):
            yield " ".join(paragraph.split())


def test_every_page_of_help_is_known_in_russian() -> None:
    missing = set()
    for way, command in commands_of(cli):
        if way and not any(tuple(way[: len(group)]) == group for group in GROUPS):
            continue
        texts = [*paragraphs(command.help), *paragraphs(command.epilog)]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.help:
                texts += paragraphs(parameter.help.partition("  [")[0])
        missing |= {text for text in texts if text not in russian_help.HELP}
    # In the list of commands there is one line of each.
    missing |= {
        text
        for way, command in commands_of(cli)
        if len(way) == 1 and (text := next(paragraphs(command.help))) not in russian_help.HELP
    }

    assert missing == set()


def test_every_reason_of_the_contract_has_russian_words() -> None:
    reasons = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()}  # noqa: SIM118
    refusals = {name.removeprefix("DECISION_REFUSAL_") for name in operator_pb2.DecisionRefusal.keys()}  # noqa: SIM118

    assert set(russian.REASONS) == (reasons | refusals) - {"UNSPECIFIED"}


@pytest.mark.parametrize("english", russian.SENTENCES)
def test_values_stay_what_they_are(english: str) -> None:
    values = [f"Банк «{n}» [red] {{x}}" for n in range(len(PLACE.findall(english)))]
    parts = PLACE.split(english)
    line = "".join(part + value for part, value in zip(parts, [*values, ""], strict=True))

    told = language.to_russian(line)

    assert told != line
    assert all(value in told for value in values)
    assert "\n" not in told


def test_what_isnt_known_is_said_as_it_is() -> None:
    assert language.to_russian("Nobody has ever said this of 7 orders.") == "Nobody has ever said this of 7 orders."


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Language.ENGLISH),
        ({"LANG": "C.UTF-8"}, Language.ENGLISH),
        ({"LANG": "ru_RU.UTF-8"}, Language.RUSSIAN),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "en_US.UTF-8"}, Language.ENGLISH),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ru_RU"}, Language.RUSSIAN),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": ""}, Language.RUSSIAN),
        ({"LANG": "ru_RU.UTF-8", "ORDERS_SERVICE_LANG": "en"}, Language.ENGLISH),
    ],
)
def test_the_locale_says_which_language_it_is(environ: dict[str, str], expected: Language) -> None:
    assert language.of_environment(environ) is expected


@pytest.mark.parametrize("said", ["option", "variable", "locale"])
def test_a_person_may_say_which_language_it_is(said: str) -> None:
    options = ["--lang", "ru"] if said == "option" else []
    clear = dict.fromkeys(("LC_ALL", "LC_MESSAGES", "LANG", "ORDERS_SERVICE_LANG"), "")
    env = {**clear, **{"variable": {"ORDERS_SERVICE_LANG": "ru"}, "locale": {"LANG": "ru_RU.UTF-8"}}.get(said, {})}

    page = CliRunner().invoke(cli, [*options, "--help"], env=env).stdout
    refused = CliRunner().invoke(cli, [*options, "orders", "settle", "7", "--case", "1"], env=env)
    wrong = CliRunner().invoke(cli, [*options, "orders", "list", "--limit", "0"], env=env)
    away = CliRunner().invoke(cli, [*options, "orders", "list"], env={**env, "ORDERS_SERVICE_PORT": "1"})

    assert "Показать эту справку и выйти." in page
    assert (refused.exit_code, "Ошибка: Укажите либо --number, либо --absent." in refused.stderr) == (2, True)
    assert "Ошибка: Недопустимое значение '--limit': 0 вне пределов 1<=x<=500." in wrong.stderr
    assert (away.exit_code, "недоступен" in away.stderr) == (3, True)
    for text in (page, refused.stderr):
        assert "Usage" not in text


def test_in_english_nothing_is_russian() -> None:
    env = dict.fromkeys(("LC_ALL", "LC_MESSAGES", "LANG"), "") | {"ORDERS_SERVICE_LANG": "en"}
    CliRunner().invoke(cli, ["--lang", "ru", "orders", "--help"], env=env)

    for way in ((), ("orders",), ("orders", "submit")):
        page = CliRunner().invoke(cli, [*way, "--help"], env=env).stdout
        assert not re.search("[а-я]", page), page


@pytest.mark.parametrize("group", ["orders", "accounts", "webhooks"])
def test_a_group_that_is_named_alone_shows_its_page_and_no_error(group: str) -> None:
    page = CliRunner().invoke(cli, ["--lang", "ru", group, "--help"]).output
    alone = CliRunner().invoke(cli, ["--lang", "ru", group])

    assert alone.output.strip() == page.strip()


def test_too_many_words_are_told_in_russian_and_not_repeated() -> None:
    told = CliRunner().invoke(cli, ["--lang", "ru", "accounts", "show", "anna", "swordfish"])

    assert told.exit_code == 2
    assert "слишком много слов" in told.output
    assert "swordfish" not in told.output


def test_a_sentence_that_isnt_known_is_left_whole() -> None:
    said = "It holds 2 cadastral numbers: order them one by one."

    assert language.to_russian(said) == said
