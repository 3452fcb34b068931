"""The operator's guide in Russian says what is there: commands, variables, codes, states, sentences that it quotes."""

from __future__ import annotations

import ast
import functools
import re
import shlex
from pathlib import Path
from typing import Final

import click
import pytest

from orders_service.cli import cli as orders_service
from orders_service.commands.language.russian import REASONS
from orders_service.domain.account import STANDBY_KINDS
from orders_service.domain.states import OrderState
from rosq.cli import main as rosq
from worker.cli import cli as worker

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = ROOT / "docs" / "ru"
PAGES: Final = sorted(GUIDE.glob("*.md"))
PROGRAMS: Final = {"orders-service": orders_service, "rosq": rosq, "rosq-worker": worker}
PACKAGES: Final = ("orders_service", "rosq", "worker")

#: Where one command of a line ends and the next one begins.
BETWEEN: Final = {"|", "||", "&&", ";", ">"}
BLOCK: Final = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INLINE: Final = re.compile(r"`([^`\n]+)`")
LINK: Final = re.compile(r"\]\(([^)#]*)(?:#([^)]+))?\)")
HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
VARIABLE: Final = re.compile(
    r"\b(?:ROSREESTR|ORDERS_SERVICE|ORDER|DB|REDIS|ROSQ|EXTRACT|WEBHOOK|COMPOSE)_[A-Z0-9_]*[A-Z0-9]\b"
)
#: An option of one of our programs; of others, like those of docker-compose, the guide says none alone.
OPTION: Final = re.compile(r"--[a-z][a-z-]+")


class Unknown(Exception):
    """The command isn't one of ours."""


def without_blocks(text: str) -> str:
    return BLOCK.sub("", text)


def commands_in(page: str) -> list[list[str]]:
    """Every call of a program of ours in a page: of its blocks, and of what it says within a line."""
    lines = [line for block in BLOCK.findall(page) for line in block.splitlines()]
    lines += [inline for inline in INLINE.findall(without_blocks(page)) if " " in inline]
    return [call for line in lines for call in calls_in(line)]


def calls_in(line: str) -> list[list[str]]:
    if not re.search(r"(?<![\w/.-])(?:orders-service|rosq|rosq-worker) ", line):
        return []
    calls: list[list[str]] = [[]]
    for word in shlex.split(line):
        if word in BETWEEN:
            calls.append([])
        else:
            calls[-1].append(word)
    return [found for call in calls if (found := stripped(call))]


def stripped(call: list[str]) -> list[str]:
    """The call without variables before it, and without docker-compose and the name of the service around it."""
    while call and re.fullmatch(r"[A-Z_0-9]+=.*", call[0]):
        call = call[1:]
    if call[:1] == ["docker-compose"]:
        if "exec" not in call:
            return []
        call = [word for word in call[call.index("exec") + 1 :] if word != "-T"][1:]
    return call if call and call[0] in PROGRAMS else []


def require_known(call: list[str]) -> None:
    """Parse a call as its program would, and call nothing.

    Raises:
        Unknown: No such command, option or value, or something is missing.
    """
    name, *words = call
    command: click.Command = PROGRAMS[name]
    context = click.Context(command, info_name=name)
    while True:
        try:
            values, rest, _ = command.make_parser(context).parse_args(list(words))
            require_values(command, context, values)
        except click.UsageError as error:
            raise Unknown(f"{' '.join(call)}: {error.format_message()}") from error
        if not isinstance(command, click.Group):
            if rest:
                raise Unknown(f"{' '.join(call)}: too many words: {' '.join(rest)}")
            return
        if not rest:
            if command.invoke_without_command or {"--help", "--version"} & set(words):
                return
            raise Unknown(f"{' '.join(call)}: which command of it?")
        inner = command.get_command(context, rest[0])
        if inner is None:
            raise Unknown(f"{' '.join(call)}: there is no {rest[0]}")
        command, words = inner, rest[1:]
        context = click.Context(command, parent=context, info_name=rest[0])


def require_values(command: click.Command, context: click.Context, values: dict[str, object]) -> None:
    if values.get("help") or values.get("_click_default_help"):
        return
    for parameter in command.params:
        value = values.get(parameter.name or "")
        is_given = value is not None and value != () and "UNSET" not in str(value)
        if parameter.required and not is_given:
            raise click.MissingParameter(ctx=context, param=parameter)
        if is_given and not isinstance(parameter.type, (click.File, click.Path)):
            parameter.type_cast_value(context, value)


@functools.cache
def options_of_all() -> frozenset[str]:
    found: set[str] = set()

    def look(command: click.Command) -> None:
        found.update(option for one in command.params for option in (*one.opts, *one.secondary_opts))
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                look(inner)

    for program in PROGRAMS.values():
        look(program)
    return frozenset(found | {"--help"})


@functools.cache
def source() -> str:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    files += [ROOT / "compose.yml", ROOT / "compose.portal.yml"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@functools.cache
def sentences() -> str:
    """Every text in the code, a line each, with … where it has a value."""
    found: list[str] = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if path.stem.endswith(("_pb2", "_pb2_grpc")):
                continue
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            found += [re.sub(r"\{\d?\}", "…", text_of(node)) for node in nodes if isinstance(node, ast.expr)]
    return "\n".join(" ".join(text.split()) for text in found)


def is_said(quoted: str) -> bool:
    """Whether the code has this sentence; … stands for whatever comes there."""
    return re.search(".*".join(re.escape(part.strip()) for part in quoted.split("…")), sentences()) is not None


def text_of(node: ast.expr) -> str:
    """The literal text, with … where it has a value; empty: it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def reasons_of_holds() -> set[str]:
    """Why an order is held, as far as it stands where it is held: given as it is, or named before in the function."""
    found: set[str] = set()
    for path in [*(ROOT / "orders_service" / "life").glob("*.py"), ROOT / "orders_service" / "domain" / "adoption.py"]:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            named = [
                (node.lineno, text_of(node.value))
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason" and text_of(node.value)
            ]
            for node in ast.walk(function):
                if not isinstance(node, ast.Call):
                    continue
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called not in ("hold", "ask", "hold_unread", "AskPerson"):
                    continue
                given = [*node.args, *(one.value for one in node.keywords if one.arg == "reason")]
                found.update(filter(None, map(text_of, given)))
                if any(isinstance(one, ast.Name) and one.id == "reason" for one in given):
                    found.update([text for line, text in sorted(named) if line < node.lineno][-1:])
    return found


def rows_of(page: str) -> list[str]:
    """What stands in the first cell of each row of a table."""
    return [line.split("|")[1].strip() for line in page.splitlines() if line.lstrip().startswith("| ")]


def read(name: str) -> str:
    return (GUIDE / name).read_text(encoding="utf-8")


def anchor_of(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


every_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


@every_page
def test_each_command_that_is_shown_can_be_typed(page: Path) -> None:
    for call in commands_in(page.read_text(encoding="utf-8")):
        require_known(call)


def test_there_are_commands_to_look_at() -> None:
    calls = [call for page in PAGES for call in commands_in(page.read_text(encoding="utf-8"))]
    assert len(calls) > 100
    assert {call[0] for call in calls} == set(PROGRAMS)


@pytest.mark.parametrize(
    "line",
    [
        "orders-service orders submitt --cad-num 77:01:0001001:1001",
        "orders-service orders submit --cadnum 77:01:0001001:1001",
        "orders-service orders list --state done",
        "orders-service orders cancel 17",
        "orders-service orders resume seventeen --case 2",
        "orders-service accounts activate",
        "orders-service orders",
        "docker-compose exec -T orders-service orders-service accounts sho rosreestr_user_1",
        "DB_NAME=try orders-service migrate --try",
        "rosq inspect explane 17",
        "rosq resume 17 --why 'it is back'",
        "rosq-worker --queue orders",
        "cat file | rosq-worker --user rosreestr_user_1",
    ],
)
def test_a_command_that_is_none_is_noticed(line: str) -> None:
    [call] = calls_in(line)
    with pytest.raises(Unknown):
        require_known(call)


@every_page
def test_each_option_that_is_named_alone_is_one(page: Path) -> None:
    for inline in INLINE.findall(without_blocks(page.read_text(encoding="utf-8"))):
        if inline.startswith("--"):
            assert set(OPTION.findall(inline)) <= options_of_all(), inline


@every_page
def test_each_variable_is_read_somewhere(page: Path) -> None:
    for variable in VARIABLE.findall(page.read_text(encoding="utf-8")):
        assert variable == "COMPOSE_FILE" or variable.removesuffix("_FILE") in source(), variable


@every_page
def test_each_link_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        path = (GUIDE / target).resolve() if target else page
        assert path.is_file(), target
        if anchor:
            assert anchor in {anchor_of(one) for one in HEADING.findall(path.read_text(encoding="utf-8"))}, anchor


def test_the_contents_name_each_page() -> None:
    assert {target for target, _ in LINK.findall(read("README.md"))} >= {page.name for page in PAGES} - {"README.md"}


def test_each_state_has_its_row_with_the_word_that_people_see() -> None:
    page = read("orders.md")
    sql = (ROOT / "sql" / "0002_orders.sql").read_text(encoding="utf-8")
    for state in OrderState:
        [word] = re.findall(rf"when '{state.value}' then '([^']+?):? *'", sql)
        assert re.search(rf"^\| {word}(: …)? \| `{state.value}` \|", page, re.MULTILINE), state


def test_each_kind_of_standby_has_its_row() -> None:
    assert {f"`{kind}`" for kind in STANDBY_KINDS} <= set(rows_of(read("accounts.md")))


def test_each_reason_of_a_refusal_has_its_row() -> None:
    assert {f"`{reason}`" for reason in REASONS} <= set(rows_of(read("errors.md")))


@pytest.mark.parametrize("page", ["accounts.md", "orders.md", "errors.md"])
def test_what_is_quoted_is_said_by_the_code(page: str) -> None:
    quoted = [one for row in rows_of(read(page)) for one in INLINE.findall(row) if " " in one]
    assert quoted
    assert [one for one in quoted if not is_said(one)] == []


def test_each_reason_of_a_hold_has_its_row() -> None:
    quoted = [one for row in rows_of(read("orders.md")) for one in INLINE.findall(row) if " " in one]
    shapes = [re.compile(".*".join(re.escape(part.strip()) for part in one.split("…"))) for one in quoted]
    reasons = reasons_of_holds()
    assert len(reasons) > 15
    assert sorted(reason for reason in reasons if not any(shape.search(reason) for shape in shapes)) == []


def test_a_sentence_that_nobody_says_is_noticed() -> None:
    assert not is_said("It met no trouble … at …")
    assert is_said("It met trouble … at …")


def test_each_event_of_the_log_is_logged() -> None:
    log = read("errors.md").partition("## Журнал")[2]
    events = [one for row in rows_of(log) for one in INLINE.findall(row)]
    assert events
    assert [one for one in events if f'"{one}"' not in source()] == []
