"""Reading a cadastral number, and comparing two."""

from __future__ import annotations

import re
from typing import Final

from orders_service.cadastral.errors import CadNumError, show
from orders_service.cadastral.explaining import explain
from orders_service.cadastral.spelling import (
    FOUR_NUMBERS,
    LINE_END,
    MAX_LENGTH,
    SHAPE,
    STRICT,
    clean,
    join_at_colons,
    strip_quotes,
)

_LENIENT: Final = re.compile(SHAPE)
_SEVERAL_BY_SPACE: Final = re.compile(rf"{SHAPE}(?:\s+{SHAPE})+")
_CELL_END: Final = re.compile(rf"[\t{LINE_END}]")

#: The округ of objects that lie in several.
_ALL_RUSSIA: Final = "00:"
#: What a spreadsheet cell holds at most (32,767), so that a text which is several numbers can still be taken apart.
_MAX_CELL: Final = 32_768


def parse(text: str) -> str:
    """Return the number in its strict spelling, ready to be stored and ordered.

    Leading zeros are kept as they were written: six- and seven-digit quarters are both right, and only the portal
    knows which it prints.

    Raises:
        CadNumError: The text isn't exactly one number, or could be one only by changing a digit.
    """
    # Nearly every number comes spelled as it should be, ten thousand in one call: there is nothing to undo.
    if STRICT.fullmatch(text) and not text.startswith(_ALL_RUSSIA):
        return text
    pieces = split(text) if len(text) <= _MAX_CELL else []
    if len(pieces) > 1:
        raise CadNumError(
            text, f"{show(text)} holds {len(pieces)} cadastral numbers: order them one by one.", parts=tuple(pieces)
        )
    cleaned = clean(text[: MAX_LENGTH + 1]) if len(text) > _MAX_CELL else clean(text)
    compact = re.sub(r"\s", "", cleaned)
    if FOUR_NUMBERS.fullmatch(compact) and not compact.split(":")[0].strip("0"):
        # How the portal prints them isn't known: no spelling is taken for right.
        raise CadNumError(
            text, f"{show(text)} is in округ 0 (all of Russia), which can't be ordered by machine: ask a person to."
        )
    if STRICT.fullmatch(compact) and not _is_doubtful_spacing(cleaned):
        return compact
    raise explain(text, cleaned)


def split(text: str) -> list[str]:
    """Take a spreadsheet cell apart that may hold several numbers; each piece is then for `parse`.

    Separators are comma, semicolon and line end, and blanks between whole numbers. A text in which fewer than two
    pieces look like a number comes back in one piece (`77:01:0001001;5` is one number with a wrong separator); an
    empty one as no piece.
    """
    if not text.strip():
        return []
    joined = join_at_colons(strip_quotes(text.strip()))
    pieces = [piece for piece in re.split(rf"[,;{LINE_END}]+", joined) if piece.strip()]
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
            cad_num, f"{show(cad_num)} isn't a cadastral number: four numbers with colons between them were expected."
        )
    return key


def find_key(cad_num: str) -> str | None:
    """Return the comparison key, or None where the text isn't four numbers with colons between them."""
    if len(cad_num) > MAX_LENGTH:
        return None
    compact = cad_num if STRICT.fullmatch(cad_num) else re.sub(r"\s", "", clean(cad_num))
    if not FOUR_NUMBERS.fullmatch(compact):
        return None
    return ":".join(group.lstrip("0") or "0" for group in compact.split(":"))


def same_object(a: str, b: str) -> bool:
    """Whether both texts are numbers of one object; False where either isn't a number at all."""
    key = find_key(a)
    return key is not None and key == find_key(b)


def _is_doubtful_spacing(cleaned: str) -> bool:
    """Whether removing the blanks could glue two values together: `…:5 2` may be object 52, or object 5 and something
    else in the next column.

    The first groups have a fixed length, so a blank inside them loses nothing; the object's number may have any
    length. A tab or a line end parts cells and lines, so between two digits it is in doubt everywhere.
    """
    return re.search(r"\s", cleaned.rsplit(":", 1)[-1]) is not None or _CELL_END.search(cleaned) is not None


def _split_at_blanks(piece: str) -> list[str]:
    return piece.split() if _SEVERAL_BY_SPACE.fullmatch(clean(piece)) else [piece]


def _looks_like_number(piece: str) -> bool:
    return len(piece) <= MAX_LENGTH and _LENIENT.fullmatch(re.sub(r"\s", "", clean(piece))) is not None
