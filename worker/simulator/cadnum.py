"""Cadastral numbers as the portal takes them: a lenient shape, and equality that leading zeros don't change."""

from __future__ import annotations

import re

_SHAPE = re.compile(r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,7}:[0-9]{1,10}")


def looks_valid(text: str) -> bool:
    """Whether the portal would search for this at all; anything else it simply doesn't find."""
    return _SHAPE.fullmatch(text) is not None


def key_of(cad_num: str) -> str:
    """What two spellings of one object have in common: each group without its leading zeros."""
    return ":".join(group.lstrip("0") or "0" for group in cad_num.split(":"))


def district_of(cad_num: str) -> str:
    """The first group as two digits: the `RR` of a request number."""
    return cad_num.split(":", 1)[0].zfill(2)[-2:]


def quarter_of(cad_num: str) -> str:
    """The number without its last group."""
    return cad_num.rsplit(":", 1)[0]


def respell(cad_num: str) -> str:
    """The same object with other leading zeros: a quarter of six digits gets one, a quarter of seven loses one.

    A quarter of seven digits without a leading zero has no other spelling; there the object's group gets a zero.
    """
    region, district, quarter, number = cad_num.split(":")
    if len(quarter) < 7:
        quarter = "0" + quarter
    elif quarter.startswith("0"):
        quarter = quarter[1:]
    else:
        number = "0" + number
    return ":".join((region, district, quarter, number))
