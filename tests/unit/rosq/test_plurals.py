"""No sentence says "1 jobs": a number before a noun is said by `counted`, which knows both forms."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from rosq.inspect.words import counted

ROSQ = Path(__file__).parents[3] / "rosq"
FILES = [path for wing in ("commands", "inspect", "top") for path in sorted((ROSQ / wing).rglob("*.py"))]
#: A word right behind a number that is of several.
PLURAL = re.compile(r"^ (?:more )?([a-z-]+s|are|were|have)\b")
#: Units that have one form, and verbs of what is one.
FINE = {"ms", "s", "is", "was", "has"}
#: Values that are no numbers, or never one: names, words, constants.
NO_COUNT = re.compile(
    r".*(_id|queue|lane|option|secret|ratio|kind|state|events|skew_s.*|\bduration\(.*\)|\b_[A-Z]+|readers\)|starts\)|ahead)"
)


def list_numbers_before_plurals(path: Path) -> list[str]:
    """Of every formatted text: what stands between a value and a plural word."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if not isinstance(value, ast.FormattedValue) or not isinstance(text, ast.Constant):
                continue
            match = PLURAL.match(str(text.value))
            is_count = NO_COUNT.fullmatch(ast.unparse(value.value)) is None
            if match and match[1] not in FINE and is_count and "counted" not in ast.unparse(value.value):
                found.append(f"{path.name}:{node.lineno}: {{{ast.unparse(value.value)}}}{str(text.value)[:30]}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROSQ)))
def test_no_number_is_followed_by_a_plural_that_it_may_not_be(path: Path) -> None:
    assert list_numbers_before_plurals(path) == []


@pytest.mark.parametrize(
    ("count", "words", "told"),
    [
        (0, ("job",), "0 jobs"),
        (1, ("job",), "1 job"),
        (1_000, ("job",), "1,000 jobs"),
        (1, ("job waits", "jobs wait"), "1 job waits"),
        (2, ("entry", "entries"), "2 entries"),
    ],
)
def test_a_count_knows_one_from_many(count: int, words: tuple[str, ...], told: str) -> None:
    assert counted(count, *words) == told
