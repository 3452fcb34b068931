"""How a number is written, and what of another spelling can be undone without losing anything."""

from __future__ import annotations

import re
from typing import Final

# ASCII digits by name: `\d` would take Arabic-Indic ones, and `$` a final newline, hence `fullmatch` throughout.
STRICT: Final = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{6,7}:[1-9][0-9]{0,8}")
#: Four groups of digits, each perhaps too short or too long.
SHAPE: Final = r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,7}:[0-9]{1,10}"
FOUR_NUMBERS: Final = re.compile(r"[0-9]+:[0-9]+:[0-9]+:[0-9]+")
#: Longer texts aren't a number in any spelling; the bound also keeps what an error repeats readable.
MAX_LENGTH: Final = 200

LINE_END: Final = "\\r\\n\\v\\f\\u0085\\u2028\\u2029"

_SAME_CHARACTER: Final[dict[int, str | None]] = {
    **{0xFF10 + digit: str(digit) for digit in range(10)},  # fullwidth digits
    **dict.fromkeys(map(ord, "\uff1a\u2236\u02d0\ua789"), ":"),
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad")),  # invisible: joiners, BOM, soft hyphen
}
_LETTER_FOR_DIGIT: Final = str.maketrans(
    {**dict.fromkeys("ОоOo", "0"), **dict.fromkeys("Зз", "3"), **dict.fromkeys("lIІ|", "1"), "б": "6", "В": "8"}
)
#: The letters that are taken for digits, for a class of a regular expression.
LETTERS_FOR_DIGITS: Final = re.escape("".join(map(chr, _LETTER_FOR_DIGIT)))

_PREFIX: Final = re.compile(r"(?:кадастровый\s+номер|кад\.?\s*(?:№|номер)|кн)(?:\s*№)?\s*[:.]?\s*", re.IGNORECASE)
_QUOTES: Final = {'"': '"', "'": "'", "«": "»", "“": "”", "„": "“", "‘": "’"}


def clean(text: str) -> str:
    """Undo what loses no information: look-alikes, invisible characters, quotes, prefix, one trailing mark."""
    cleaned = text.translate(_SAME_CHARACTER).strip()
    unmarked = _strip_mark(cleaned)
    unquoted = strip_quotes(unmarked)
    bare = _PREFIX.sub("", unquoted, count=1) if _PREFIX.match(unquoted) else unquoted
    if unquoted == unmarked:
        bare = strip_quotes(bare)  # the quotes may stand behind the prefix, but only one pair is taken off in all
    if unmarked == cleaned:
        bare = _strip_mark(bare)  # likewise the mark inside the quotes
    return join_at_colons(bare.strip())


def strip_quotes(text: str) -> str:
    """Take off the one pair of quotes in which the text stands."""
    if len(text) >= 2 and _QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip()
    return text


def join_at_colons(text: str) -> str:
    """Take away the blanks beside colons, and make one of each run of others."""
    # Runs of blanks become one first: `\s*:` alone would take quadratic time on a long run.
    narrow = re.sub(r"\s{2,}", _one_blank, text.translate(_SAME_CHARACTER))
    return re.sub(r"\s?:\s?", ":", narrow)


def letters_to_digits(text: str) -> str:
    """Take letters for the digits that they look like: for a suggestion only."""
    return text.translate(_LETTER_FOR_DIGIT)


def _strip_mark(text: str) -> str:
    return text[:-1].rstrip() if text.endswith((".", ",", ";")) else text


def _one_blank(run: re.Match[str]) -> str:
    """Keep of a run of blanks the one that parts most: a line end, else a tab."""
    if re.search(rf"[{LINE_END}]", run[0]):
        return "\n"
    return "\t" if "\t" in run[0] else " "
