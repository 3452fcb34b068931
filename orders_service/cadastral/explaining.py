"""What a text is instead of a number, and which number was probably meant: said, never taken."""

from __future__ import annotations

import re
from typing import Final

from orders_service.cadastral.errors import CadNumError, show
from orders_service.cadastral.spelling import LINE_END, MAX_LENGTH, SHAPE, STRICT, letters_to_digits
from orders_service.cadastral.wrapped import find_numbers, find_only_number

_EXAMPLE: Final = "77:01:0001001:1001"
_SEPARATOR: Final = re.compile(r"\s*[:;,_./\-]\s*|\s+")
_CELL_END_BETWEEN_DIGITS: Final = re.compile(rf"[0-9:][ \t]*[\t{LINE_END}][ \t]*[0-9:]")

#: A part of a parcel (ЧЗУ), and a parcel that is still to be made (ЗУ): `чзу` ends in `зу`, so it comes first.
_PART: Final = r"(?:чзу|чокс?)\s*\.?\s*[0-9]*"
_FUTURE: Final = re.compile(r"(?:[0-9:]*:)?зу\s*\.?\s*[0-9]*(?:\([0-9]+\))?", re.IGNORECASE)
_CONDITIONAL: Final = re.compile(r"[0-9]{2}[-:][0-9]{2}[-:][0-9]{2}/[0-9]+/[0-9]{4}[-:][0-9]+|[0-9]{1,3}-[0-9]+/[0-9]+")
#: Moscow's own, with five digits in the quarter; with a letter in front; and those with tails behind slashes.
_OLD: Final = re.compile(
    r"[0-9]{2}-[0-9]{2}-[0-9]{5}-[0-9]{1,4}"
    r"|[A-ZА-Я]-[0-9]{2}-[0-9]{4,8}"
    r"|[0-9]{2}:[0-9]{2}:[0-9]{6,7}:[0-9]{1,5}:[0-9]+/\S*",
    re.IGNORECASE,
)

#: What is known by its shape: the shape, what it is, and what to do. The number in its first group is suggested.
_KNOWN: Final = tuple(
    (re.compile(shape, re.IGNORECASE) if isinstance(shape, str) else shape, what)
    for shape, what in (
        (
            r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{6,7}",
            "is a cadastral quarter, not an object: add the object's number after a colon.",
        ),
        (
            r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{6,7}:",
            "lacks the object's number after the last colon: add it.",
        ),
        (rf"({SHAPE})/[0-9]+", "is a part of a parcel (часть участка): order the parcel."),
        (rf"({SHAPE})[/:\-\s]\s*{_PART}", "is a part of a parcel (часть участка): order the parcel."),
        (rf"({SHAPE})\s?\([0-9]+\)", "is a contour of a parcel (контур участка): order the parcel."),
        (rf"({SHAPE})-[0-9]\S*/\S*", "is the number of a right, not of an object: order the object."),
        (_FUTURE, "is a parcel that is still to be made (образуемый участок): it has no number of its own yet."),
        (
            r"[0-9]{1,2}:[0-9]{1,2}-[0-9]+\.[0-9]+\S*",
            "is the register number of a border or zone: give the object's cadastral number.",
        ),
        (_CONDITIONAL, "is an old conditional number (условный номер): look up the object's cadastral number."),
        (_OLD, "is an old number, from before the present cadastre: look up the object's cadastral number."),
        (
            r"(?:куви|ofsite)-.*",
            "is the number of a request or an extract: give the object's cadastral number.",
        ),
    )
)


def explain(text: str, cleaned: str) -> CadNumError:
    """Say what the text is instead, most specific first, with the number that was probably meant.

    Args:
        text: As it was given.
        cleaned: The same, with everything undone that loses nothing.
    """
    shown = show(text)
    if not cleaned:
        return CadNumError(text, f"The cadastral number is empty: give one like {_EXAMPLE}.")
    if len(cleaned) > MAX_LENGTH:
        return CadNumError(
            text,
            f"{shown} is too long for a cadastral number: give one like {_EXAMPLE}.",
            parts=find_numbers(cleaned),
        )
    for shape, what in _KNOWN:
        if match := shape.fullmatch(cleaned):
            number = match[1] if shape.groups else None
            return CadNumError(text, f"{shown} {what}", suggestion=_mend(number) if number else None)
    if numbers := find_numbers(cleaned):
        return CadNumError(
            text, f"{shown} holds {len(numbers)} cadastral numbers: order them one by one.", parts=numbers
        )
    if _CELL_END_BETWEEN_DIGITS.search(cleaned):
        return CadNumError(text, f"{shown} holds a tab or a line end between digits: give one number on one line.")
    if reason := _fault_of_groups(shown, cleaned):
        return CadNumError(text, reason, suggestion=_mend(cleaned))
    if mended := _mend(cleaned):
        return CadNumError(text, f"{shown} isn't a cadastral number: it is written like {_EXAMPLE}.", suggestion=mended)
    if number := find_only_number(cleaned):
        return CadNumError(
            text, f"{shown} has other words around the number: give the number alone.", suggestion=number
        )
    return CadNumError(text, f"{shown} isn't a cadastral number: it is written like {_EXAMPLE}.")


def _fault_of_groups(shown: str, cleaned: str) -> str | None:
    """Name the group that breaks the rule, where the text is numbers with colons between them."""
    if not re.fullmatch(r"[0-9]+(?::[0-9]+)*", cleaned):
        return None
    groups = cleaned.split(":")
    if len(groups) != 4:
        count = "1 group" if len(groups) == 1 else f"{len(groups)} groups"
        return f"{shown} has {count}: a cadastral number has four, like {_EXAMPLE}."
    district, area, quarter, object_number = groups
    for name, group in (("first", district), ("second", area)):
        if len(group) != 2:
            return f"{shown} has {_digits(group)} in its {name} group: there must be 2."
    if len(quarter) not in (6, 7):
        return f"{shown} has {_digits(quarter)} in its third group (квартал): there must be 6 or 7."
    if not object_number.strip("0"):
        return f"{shown} has the object number 0: give the object's own number."
    if object_number.startswith("0"):
        return f"{shown} has a leading zero in the object's number: leave it out."
    return f"{shown} has {_digits(object_number)} in the object's number: there must be 9 at most."


def _digits(group: str) -> str:
    return "1 digit" if len(group) == 1 else f"{len(group)} digits"


def _mend(cleaned: str) -> str | None:
    """Find the valid number that wrong letters, separators or leading zeros may have spoilt: a suggestion only."""
    groups = _SEPARATOR.split(letters_to_digits(cleaned))
    if len(groups) == 4 and all(re.fullmatch(r"[0-9]+", group) for group in groups):
        return _mend_zeros(groups)
    # Blanks inside the groups of a number whose colons are right. A blank and then a letter is the next word.
    if cleaned.count(":") == 3 and not re.search(r"[0-9]\s+[^\s0-9:]", cleaned):
        return _mend_zeros(re.sub(r"\s", "", letters_to_digits(cleaned)).split(":"))
    return None


def _mend_zeros(groups: list[str]) -> str | None:
    district, area, quarter, object_number = groups
    mended = ":".join((district.zfill(2), area.zfill(2), quarter, object_number.lstrip("0")))
    return mended if STRICT.fullmatch(mended) and not mended.startswith("00") else None
