"""The values of a summary, and how they are kept."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from typing import Any, Final, Self

#: Raised when what a field means changes. Fields that are new, or gone, need no other version.
VERSION: Final = 1


class HoldersAnswer(enum.StrEnum):
    """What the extract says of who has the object: three answers that must not be taken for each other."""

    #: At least one holder is named.
    NAMED = "named"
    #: A right is registered, and its holder isn't shown (personal data since March 2023).
    HIDDEN = "hidden"
    #: No right is registered.
    NONE = "none"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """A measure of the object, as the extract has it: `площадь`, `протяженность` …

    Attributes:
        value: A decimal number with a point; as printed where it isn't one.
        unit: As printed; empty where the extract leaves it to custom (square metres for an area).
    """

    kind: str = ""
    value: str = ""
    unit: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OldNumber:
    """A number that the object had before: inventory, conditional …"""

    kind: str = ""
    number: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RealEstate:
    """The object. Dates are YYYY-MM-DD, or as printed where they aren't dates; texts are the registry's.

    Attributes:
        kind_code, kind: Land, building, room …: the code is what counts, some old files have nonsense in the words.
        area, area_inaccuracy: A decimal number with a point.
        cost: The cadastral cost in roubles, a decimal number with a point.
        status: Of the record: current, archived …
    """

    cad_num: str = ""
    quarter: str = ""
    kind_code: str = ""
    kind: str = ""
    subtype: str = ""
    name: str = ""
    purpose: str = ""
    address: str = ""
    area: str = ""
    area_inaccuracy: str = ""
    characteristics: tuple[Characteristic, ...] = ()
    floor: str = ""
    floors: str = ""
    underground_floors: str = ""
    year_built: str = ""
    category: str = ""
    permitted_uses: tuple[str, ...] = ()
    cost: str = ""
    registered_on: str = ""
    status: str = ""
    parent_cad_nums: tuple[str, ...] = ()
    land_cad_nums: tuple[str, ...] = ()
    old_numbers: tuple[OldNumber, ...] = ()
    notes: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a right, or in whose favour something is burdened. Of a person nothing but the name is kept.

    Attributes:
        kind: individual, legal_entity, public_formation, another or undefined, as the registry tells them apart.
        name: Empty where the extract doesn't show it.
    """

    kind: str = ""
    name: str = ""
    inn: str = ""
    ogrn: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A registered right.

    Attributes:
        share: As `1/2`, or in the registry's words; empty: the whole.
        answer: Whether its holders are named or hidden.
        more_holders: How many holders more it has than are kept.
    """

    kind_code: str = ""
    kind: str = ""
    number: str = ""
    registered_on: str = ""
    ended_on: str = ""
    share: str = ""
    answer: HoldersAnswer = HoldersAnswer.HIDDEN
    holders: tuple[Holder, ...] = ()
    more_holders: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encumbrance:
    """What burdens the object or a right to it: a mortgage, an arrest, a lease …

    Attributes:
        period: How long, in the registry's words or as `2020-01-01 – 2030-01-01`.
        right_numbers: The rights that it burdens.
    """

    kind_code: str = ""
    kind: str = ""
    number: str = ""
    registered_on: str = ""
    period: str = ""
    right_numbers: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()
    more_holders: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExtractSummary:
    """What an extract says, in short.

    Attributes:
        form: The XML's root: which kind of extract of which kind of object.
        number: The registry's number of the paper (КУВИ-…).
        formed_on: When it was made; what it says holds for this day.
        requested_on: When the request came to the registry.
        issuer: Which office made it.
        answer: Whether holders are named, hidden, or no right is registered.
        more_rights, more_encumbrances: How many more it has than are kept.
    """

    version: int = VERSION
    form: str = ""
    number: str = ""
    formed_on: str = ""
    requested_on: str = ""
    issuer: str = ""
    real_estate: RealEstate = RealEstate()
    answer: HoldersAnswer = HoldersAnswer.NONE
    rights: tuple[Right, ...] = ()
    more_rights: int = 0
    encumbrances: tuple[Encumbrance, ...] = ()
    more_encumbrances: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; what is empty is left out."""
        return typing.cast("dict[str, Any]", _pack(self)) | {"version": self.version, "answer": self.answer.value}

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        """Return a summary that was kept; None where this isn't one. What it has beyond ours is left out."""
        if not isinstance(value, dict) or value.get("version") != VERSION:
            return None
        return typing.cast("Self", _unpack(cls, value))


def _pack(value: object) -> object:
    if dataclasses.is_dataclass(value):
        packed = {field.name: _pack(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: one for name, one in packed.items() if one not in ("", [], {}, 0)}
    if isinstance(value, tuple):
        return [_pack(one) for one in value]
    return str(value) if isinstance(value, enum.StrEnum) else value


def _unpack(kind: Any, value: object) -> object:
    """Make a value of this type of what was kept; what doesn't fit becomes the type's empty value."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        kept = value if isinstance(value, dict) else {}
        hints = _hints(kind)
        return kind(**{name: _unpack(hints[name], kept[name]) for name in hints if name in kept})
    if typing.get_origin(kind) is tuple:
        (item, _) = typing.get_args(kind)
        return tuple(_unpack(item, one) for one in value) if isinstance(value, list) else ()
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return kind(value) if value in [one.value for one in kind] else next(iter(kind))
    assert not isinstance(kind, types.UnionType), "no field of a summary has two types"
    return value if isinstance(value, kind) else kind()


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
