"""The cadastral number (КН): what is accepted, what is only suggested, and when two spellings are one object.

A number is `округ:район:квартал:объект`. A wrong digit buys a wrong, paid extract, so nothing is guessed: what loses
no information (spaces, look-alike colons, a prefix) is normalised silently; what could change a digit is refused with
a suggestion that a person confirms.

    CadNumError(ValueError)      .text, .reason, .suggestion, .parts

This module is pure: no database, no network, no settings. The worker imports it too.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["CadNumError", "comparison_key", "find_key", "parse", "same_object", "split"]

# ASCII digits by name: `\d` would take Arabic-Indic ones, and `$` a final newline, hence `fullmatch` throughout.
_STRICT: Final = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{6,7}:[1-9][0-9]{0,8}")
_SHAPE: Final = r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,7}:[0-9]{1,10}"
_LENIENT: Final = re.compile(_SHAPE)
_SEVERAL_BY_SPACE: Final = re.compile(rf"{_SHAPE}(?:\s+{_SHAPE})+")
_FOUR_NUMBERS: Final = re.compile(r"[0-9]+:[0-9]+:[0-9]+:[0-9]+")

_SAME_CHARACTER: Final[dict[int, str | None]] = {
    **{0xFF10 + digit: str(digit) for digit in range(10)},  # fullwidth digits
    **dict.fromkeys(map(ord, "\uff1a\u2236\u02d0\ua789"), ":"),
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad")),  # invisible: joiners, BOM, soft hyphen
}
_LETTER_FOR_DIGIT: Final = str.maketrans(
    {**dict.fromkeys("ОоOo", "0"), **dict.fromkeys("Зз", "3"), **dict.fromkeys("lIІ|", "1"), "б": "6", "В": "8"}
)

_PREFIX: Final = re.compile(r"(?:кадастровый\s+номер|кад\.?\s*(?:№|номер)|кн)(?:\s*№)?\s*[:.]?\s*", re.IGNORECASE)
_QUOTES: Final = {'"': '"', "'": "'", "«": "»", "“": "”", "„": "“", "‘": "’"}
_SEPARATOR: Final = re.compile(r"\s*[:;,_./\-]\s*|\s+")

_QUARTER: Final = re.compile(r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{6,7}")
_NO_OBJECT: Final = re.compile(r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{6,7}:")
_PART_OF_PARCEL: Final = re.compile(rf"({_SHAPE})/[0-9]+")
_RIGHT: Final = re.compile(rf"({_SHAPE})-[0-9].*/.*")
_BORDER: Final = re.compile(r"[0-9]{1,2}:[0-9]{1,2}-[0-9]+\.[0-9]+")
_CONDITIONAL: Final = re.compile(r"[0-9]{2}-[0-9]{2}-[0-9]{2}/[0-9]+/[0-9]{4}-[0-9]+")
_DOCUMENT: Final = re.compile(r"(?:куви|ofsite)-.*", re.IGNORECASE)

_LINE_END: Final = "\\r\\n\\v\\f\\u0085\\u2028\\u2029"
_CELL_END: Final = re.compile(rf"[\t{_LINE_END}]")

# Longer texts aren't a number in any spelling; the bound also keeps what an error repeats readable.
_MAX_LENGTH: Final = 200
_MAX_SHOWN: Final = 60
# What a spreadsheet cell holds at most (32,767), so that a text which is several numbers can still be taken apart.
_MAX_CELL: Final = 32_768


class CadNumError(ValueError):
    """This text isn't one cadastral number that can be ordered.

    Attributes:
        text: What was given, unchanged.
        reason: One sentence: what is wrong and what to do.
        suggestion: A valid number that was probably meant. Never use it without asking a person: a wrong digit is a
            wrong paid extract.
        parts: Where the text holds several numbers: each of them, as it was written; order them one by one. Else empty.
    """

    def __init__(self, text: str, reason: str, *, suggestion: str | None = None, parts: tuple[str, ...] = ()) -> None:
        super().__init__(reason if suggestion is None else f"{reason} Did you mean {suggestion}?")
        self.text = text
        self.reason = reason
        self.suggestion = suggestion
        self.parts = parts

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the constructor with the message alone and fail in another process.
        return (_rebuild_error, (self.text, self.reason, self.suggestion, self.parts))


def parse(text: str) -> str:
    """Return the number in its strict spelling, ready to be stored and ordered.

    Leading zeros are kept as they were written: six- and seven-digit quarters are both right, and only the portal
    knows which it prints.

    Raises:
        CadNumError: The text isn't exactly one number, or could be one only by changing a digit.
    """
    pieces = split(text) if len(text) <= _MAX_CELL else []
    if len(pieces) > 1:
        raise CadNumError(
            text, f"{_show(text)} holds {len(pieces)} cadastral numbers: order them one by one.", parts=tuple(pieces)
        )
    cleaned = _clean(text[: _MAX_LENGTH + 1]) if len(text) > _MAX_CELL else _clean(text)
    compact = re.sub(r"\s", "", cleaned)
    if _FOUR_NUMBERS.fullmatch(compact) and not compact.split(":")[0].strip("0"):
        # Objects that lie in several округа. How the portal prints them isn't known: no spelling is taken for right.
        raise CadNumError(
            text, f"{_show(text)} is in округ 0 (all of Russia), which can't be ordered by machine: ask a person to."
        )
    if _STRICT.fullmatch(compact) and not _is_doubtful_spacing(cleaned):
        return compact
    raise _explain(text, cleaned)


def split(text: str) -> list[str]:
    """Take a spreadsheet cell apart that may hold several numbers; each piece is then for `parse`.

    Separators are comma, semicolon and line end, and blanks between whole numbers. A text in which fewer than two
    pieces look like a number comes back in one piece (`77:01:0001001;5` is one number with a wrong separator); an
    empty one as no piece.
    """
    if not text.strip():
        return []
    joined = _join_at_colons(_strip_quotes(text.strip()))
    pieces = [piece for piece in re.split(rf"[,;{_LINE_END}]+", joined) if piece.strip()]
    pieces = [number for piece in pieces for number in _split_at_blanks(piece)]
    if sum(_looks_like_number(piece) for piece in pieces) < 2:
        return [text.strip()]
    return [piece.strip() for piece in pieces]


def comparison_key(cad_num: str) -> str:
    """Return the key by which numbers are compared: no leading zeros in any group.

    `50:20:0100711:40` and `50:20:100711:40` are one object; the portal's search, list and XML each may print another
    spelling. The key is for comparing only, never for the portal. It is more lenient than `parse`, since it must read
    what the portal prints.

    Raises:
        CadNumError: The text isn't four numbers with colons between them.
    """
    key = find_key(cad_num)
    if key is None:
        raise CadNumError(
            cad_num, f"{_show(cad_num)} isn't a cadastral number: four numbers with colons between them were expected."
        )
    return key


def find_key(cad_num: str) -> str | None:
    """Return the comparison key, or None where the text isn't four numbers with colons between them."""
    if len(cad_num) > _MAX_LENGTH:
        return None
    compact = re.sub(r"\s", "", _clean(cad_num))
    if not _FOUR_NUMBERS.fullmatch(compact):
        return None
    return ":".join(group.lstrip("0") or "0" for group in compact.split(":"))


def same_object(a: str, b: str) -> bool:
    """Whether both texts are numbers of one object; False where either isn't a number at all."""
    key = find_key(a)
    return key is not None and key == find_key(b)


def _clean(text: str) -> str:
    """Undo what loses no information: look-alikes, invisible characters, quotes, prefix, one trailing mark."""
    cleaned = text.translate(_SAME_CHARACTER).strip()
    unmarked = _strip_mark(cleaned)
    unquoted = _strip_quotes(unmarked)
    bare = _PREFIX.sub("", unquoted, count=1) if _PREFIX.match(unquoted) else unquoted
    if unquoted == unmarked:
        bare = _strip_quotes(bare)  # the quotes may stand behind the prefix, but only one pair is taken off in all
    if unmarked == cleaned:
        bare = _strip_mark(bare)  # likewise the mark inside the quotes
    return _join_at_colons(bare.strip())


def _strip_mark(text: str) -> str:
    return text[:-1].rstrip() if text.endswith((".", ",", ";")) else text


def _strip_quotes(text: str) -> str:
    if len(text) >= 2 and _QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip()
    return text


def _join_at_colons(text: str) -> str:
    # Runs of blanks become one first: `\s*:` alone would take quadratic time on a long run.
    narrow = re.sub(r"\s{2,}", _one_blank, text.translate(_SAME_CHARACTER))
    return re.sub(r"\s?:\s?", ":", narrow)


def _one_blank(run: re.Match[str]) -> str:
    """Keep of a run of blanks the one that parts most: a line end, else a tab."""
    if re.search(rf"[{_LINE_END}]", run[0]):
        return "\n"
    return "\t" if "\t" in run[0] else " "


def _is_doubtful_spacing(cleaned: str) -> bool:
    """Whether removing the blanks could glue two values together: `…:5 2` may be object 52, or object 5 and something
    else in the next column.

    The first groups have a fixed length, so a blank inside them loses nothing; the object's number may have any
    length. A tab or a line end parts cells and lines, so between two digits it is in doubt everywhere.
    """
    return re.search(r"\s", cleaned.rsplit(":", 1)[-1]) is not None or _CELL_END.search(cleaned) is not None


def _split_at_blanks(piece: str) -> list[str]:
    return piece.split() if _SEVERAL_BY_SPACE.fullmatch(_clean(piece)) else [piece]


def _looks_like_number(piece: str) -> bool:
    return len(piece) <= _MAX_LENGTH and _LENIENT.fullmatch(re.sub(r"\s", "", _clean(piece))) is not None


def _explain(text: str, cleaned: str) -> CadNumError:
    """Say what the text is instead, most specific first, with the number that was probably meant."""
    shown = _show(text)
    if not cleaned:
        return CadNumError(text, "The cadastral number is empty: give one like 77:01:0001001:1001.")
    if len(cleaned) > _MAX_LENGTH:
        return CadNumError(text, f"{shown} is too long for a cadastral number: give one like 77:01:0001001:1001.")
    if _CELL_END.search(cleaned):
        return CadNumError(text, f"{shown} holds a tab or a line end between digits: give one number on one line.")
    if _QUARTER.fullmatch(cleaned):
        return CadNumError(
            text, f"{shown} is a cadastral quarter, not an object: add the object's number after a colon."
        )
    if _NO_OBJECT.fullmatch(cleaned):
        return CadNumError(text, f"{shown} lacks the object's number after the last colon: add it.")
    if match := _PART_OF_PARCEL.fullmatch(cleaned):
        return CadNumError(
            text, f"{shown} is a part of a parcel (часть участка): order the parcel.", suggestion=_mend(match[1])
        )
    if match := _RIGHT.fullmatch(cleaned):
        return CadNumError(
            text, f"{shown} is the number of a right, not of an object: order the object.", suggestion=_mend(match[1])
        )
    if _BORDER.fullmatch(cleaned):
        return CadNumError(
            text,
            f"{shown} is the register number of a border or zone: give the object's cadastral number.",
        )
    if _CONDITIONAL.fullmatch(cleaned):
        return CadNumError(
            text, f"{shown} is an old conditional number (условный номер): look up the object's cadastral number."
        )
    if _DOCUMENT.fullmatch(cleaned):
        return CadNumError(
            text, f"{shown} is the number of a request or an extract: give the object's cadastral number."
        )
    reason = (
        _fault_of_groups(shown, cleaned) or f"{shown} isn't a cadastral number: it is written like 77:01:0001001:1001."
    )
    return CadNumError(text, reason, suggestion=_mend(cleaned))


def _fault_of_groups(shown: str, cleaned: str) -> str | None:
    """Name the group that breaks the rule, where the text is numbers with colons between them."""
    if not re.fullmatch(r"[0-9]+(?::[0-9]+)*", cleaned):
        return None
    groups = cleaned.split(":")
    if len(groups) != 4:
        count = "1 group" if len(groups) == 1 else f"{len(groups)} groups"
        return f"{shown} has {count}: a cadastral number has four, like 77:01:0001001:1001."
    district, area, quarter, object_number = groups
    for name, group in (("first", district), ("second", area)):
        if len(group) != 2:
            return f"{shown} has {len(group)} digits in its {name} group: there must be 2."
    if len(quarter) not in (6, 7):
        return f"{shown} has {len(quarter)} digits in its third group (квартал): there must be 6 or 7."
    if not object_number.strip("0"):
        return f"{shown} has the object number 0: give the object's own number."
    if object_number.startswith("0"):
        return f"{shown} has a leading zero in the object's number: leave it out."
    return f"{shown} has {len(object_number)} digits in the object's number: there must be 9 at most."


def _mend(cleaned: str) -> str | None:
    """Find the valid number that wrong letters, separators or leading zeros may have spoilt: a suggestion only."""
    groups = _SEPARATOR.split(cleaned.translate(_LETTER_FOR_DIGIT))
    if len(groups) == 4 and all(re.fullmatch(r"[0-9]+", group) for group in groups):
        return _mend_zeros(groups)
    if cleaned.count(":") == 3:  # blanks inside the groups of a number whose colons are right
        return _mend_zeros(re.sub(r"\s", "", cleaned.translate(_LETTER_FOR_DIGIT)).split(":"))
    return None


def _mend_zeros(groups: list[str]) -> str | None:
    district, area, quarter, object_number = groups
    mended = ":".join((district.zfill(2), area.zfill(2), quarter, object_number.lstrip("0")))
    return mended if _STRICT.fullmatch(mended) and not mended.startswith("00") else None


def _show(text: str) -> str:
    """Repeat what was given, on one line and not endlessly; escapes show what can't be seen."""
    return repr(text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…")


def _rebuild_error(text: str, reason: str, suggestion: str | None, parts: tuple[str, ...]) -> CadNumError:
    return CadNumError(text, reason, suggestion=suggestion, parts=parts)
