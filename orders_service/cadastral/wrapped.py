"""A number in foreign words: `к/н 77:01:0001001:5 (снят с учета)`.

Only whole numbers in the strict spelling are looked at, and only where nothing beside them could belong to them: a
digit, a colon, a letter that may be meant as a digit, or a second number after a comma, which is how people shorten
the next object of the same quarter (`77:01:0001001:5, 6`).
"""

from __future__ import annotations

import re
from typing import Final

from orders_service.cadastral.spelling import LETTERS_FOR_DIGITS, STRICT

#: Whatever looks like a number, or like something with a number in it: digits with two colons at least between them.
#: Begun only where digits begin: else a long row of digits would be tried from each of them.
_RUN: Final = re.compile(r"(?<![0-9])[0-9]+(?::[0-9]+){2,}")
#: The same to the end of its word, for the parts of a text that holds several.
_WORD: Final = re.compile(rf"{_RUN.pattern}[^\s,;«»\"'()]*")
#: What stands before a number and could be its beginning: a digit, a letter like one, or a digit and a separator.
_BEGINS: Final = re.compile(rf"(?:[0-9{LETTERS_FOR_DIGITS}]|[0-9][.,;/\\_\-–—])\Z")
#: What stands behind a number and could go on with it, or shorten the next one.
_GOES_ON: Final = re.compile(
    r"\w|:\w|[/\\\-–—(]\s*[0-9]|\s?[/:\-]?\s?ч?зу\b|(?:[,;.:+&/\\\-–—_\s]|(?:и|по|до|также)\b)*[0-9]", re.IGNORECASE
)


def find_only_number(cleaned: str) -> str | None:
    """Return the one number in the strict spelling that the text holds; None where there is none, or a doubt."""
    found: str | None = None
    rest: set[str] = set()
    for run in _RUN.finditer(cleaned):
        if not _is_whole(cleaned, run):
            rest.add(run[0])
        elif found in (None, run[0]):
            found = run[0]
        else:
            return None
    # Its quarter may be named beside it; anything else makes a doubt.
    return found if found is not None and rest <= {found.rpartition(":")[0]} else None


def find_numbers(cleaned: str) -> tuple[str, ...]:
    """Return whatever in the text looks like a number, as it is written, each once; empty where fewer than two do.

    At least one must be a whole number in the strict spelling: a list of times isn't one of objects.
    """
    words = [word[0].rstrip(":.-–—/\\") for word in _WORD.finditer(cleaned) if word[0].count(":") >= 3]
    numbers = tuple(dict.fromkeys(words))
    return numbers if len(numbers) > 1 and any(STRICT.match(number) for number in numbers) else ()


def _is_whole(text: str, run: re.Match[str]) -> bool:
    """Whether this is a number in the strict spelling, with nothing beside it that could belong to it."""
    return (
        STRICT.fullmatch(run[0]) is not None
        and not run[0].startswith("00:")
        and _BEGINS.search(text, max(0, run.start() - 2), run.start()) is None
        and _GOES_ON.match(text, run.end()) is None
    )
