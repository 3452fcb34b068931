"""Which objects the register holds, and what it says of each.

A rule, no list: every number that looks valid exists, but for the exceptions. What an object is like follows from a
hash of its number, so that it is the same in the search, on the card and in the extract, today and after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from worker.simulator import cadnum, errors, people

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.simulator.stages import ScriptStep

SQUARE_METRE = ("012002001000", "кв.м")
METRE = ("012001003000", "м")


class Kind(Enum):
    """Types of real estate: code, name, the word in the extract's root, the element of its record."""

    LAND = ("002001001000", "Земельный участок", "land", "land_record")
    BUILD = ("002001002000", "Здание", "build", "build_record")
    ROOM = ("002001003000", "Помещение", "room", "room_record")
    CONSTRUCTION = ("002001004000", "Сооружение", "construction", "construction_record")
    UNDER_CONSTRUCTION = (
        "002001005000",
        "Объект незавершённого строительства",
        "under_construction",
        "object_under_construction_record",
    )
    PROPERTY_COMPLEX = (
        "002001006000",
        "Предприятие как имущественный комплекс",
        "property_complex",
        "property_complex_record",
    )
    UNIFIED_COMPLEX = (
        "002001008000",
        "Единый недвижимый комплекс",
        "unified_real_estate_complex",
        "unified_real_estate_complex_record",
    )
    PARKING_SPACE = ("002001009000", "Машино-место", "car_parking_space", "car_parking_space_record")

    def __init__(self, code: str, title: str, family: str, record: str) -> None:
        self.code = code
        self.title = title
        self.family = family
        self.record = record


#: How often each type comes: sixteen equal parts.
_WEIGHTED = (
    *(Kind.ROOM,) * 6,
    *(Kind.LAND,) * 3,
    *(Kind.BUILD,) * 2,
    Kind.CONSTRUCTION,
    Kind.UNDER_CONSTRUCTION,
    Kind.PROPERTY_COMPLEX,
    Kind.UNIFIED_COMPLEX,
    Kind.PARKING_SPACE,
)


class Holder(Enum):
    """The three answers to "who owns it" that an extract can give, and two kinds of holder that may be named."""

    COMPANY = "company"
    MUNICIPALITY = "municipality"
    HIDDEN = "hidden"
    NO_RIGHT = "no right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """The main figure of an object: its area or, of a linear structure, its length."""

    code: str
    title: str
    value: Decimal
    unit_code: str
    unit_title: str

    @property
    def is_area(self) -> bool:
        """Whether the upload's `property` must be `area`."""
        return self.unit_code == SQUARE_METRE[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyObject:
    """One object as the portal shows it; `cad_num` is the portal's spelling."""

    cad_num: str
    kind: Kind
    address: str
    characteristic: Characteristic | None
    price: Decimal
    registered_on: date
    is_annulled: bool
    holder: Holder
    number: int = field(repr=False)

    @property
    def registered_at(self) -> datetime:
        """Midnight UTC, as the portal prints dates."""
        return datetime(self.registered_on.year, self.registered_on.month, self.registered_on.day, tzinfo=UTC)


class Outcome(StrEnum):
    """How an order of an object ends."""

    PROCESSED = "processed"
    REJECTED = "rejected"
    ERROR = "error"


@dataclass(slots=True, kw_only=True)
class ObjectRules:
    """The exceptions, by comparison key. A test may change them while the simulator runs."""

    unknown: set[str] = field(default_factory=set)
    annulled: set[str] = field(default_factory=set)
    #: Which paper an order of it ends with, by the name of a fault of the download.
    papers: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, tuple[ScriptStep, ...]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)


def keys_of(cad_nums: Iterable[str], *, option: str) -> set[str]:
    """Comparison keys of the numbers given to an option.

    Raises:
        BadSettings: One doesn't look like a cadastral number.
    """
    keys = set()
    for cad_num in cad_nums:
        if not cadnum.looks_valid(cad_num):
            raise errors.BadSettings(f"{option} {cad_num!r} is no cadastral number, such as 77:01:0001001:1001.")
        keys.add(cadnum.key_of(cad_num))
    return keys


class ObjectRegistry:
    """Finds objects. The same seed gives the same objects."""

    def __init__(self, rules: ObjectRules, *, seed: int) -> None:
        self.rules = rules
        self._seed = seed

    def find(self, asked: str) -> PropertyObject | None:
        """The object of this number in whatever spelling, or None when the register doesn't know it."""
        if not cadnum.looks_valid(asked):
            return None
        key = cadnum.key_of(asked)
        if key in self.rules.unknown:
            return None
        return self._describe(self.rules.spellings.get(key, asked), key)

    def outcome_of(self, cad_num: str) -> Outcome:
        """How an order of this object will end."""
        return self.rules.outcomes.get(cadnum.key_of(cad_num), Outcome.PROCESSED)

    def paper_of(self, cad_num: str) -> str | None:
        """Which paper an order of this object ends with; None is the extract."""
        return self.rules.papers.get(cadnum.key_of(cad_num))

    def script_of(self, cad_num: str) -> tuple[ScriptStep, ...]:
        """What an order of this object shows, and when; empty: what time brings."""
        return self.rules.scripts.get(cadnum.key_of(cad_num), ())

    def _describe(self, cad_num: str, key: str) -> PropertyObject:
        number = people.digest(self._seed, "real estate", key)
        kind = _WEIGHTED[number % len(_WEIGHTED)]
        house, flat = number // 16 % 199 + 1, number // 4096 % 300 + 1
        address = f"г. Тестовск, ул. Примерная, д. {house}"
        if kind in (Kind.ROOM, Kind.PARKING_SPACE):
            address += f", {'кв.' if kind is Kind.ROOM else 'м/м'} {flat}"
        return PropertyObject(
            cad_num=cad_num,
            kind=kind,
            address=address,
            characteristic=_characteristic(kind, number),
            price=Decimal(number // 65536 % 5_000_000_00) / 100 + 1000,
            registered_on=date(2005, 1, 1) + timedelta(days=number // 1024 % 6000),
            is_annulled=key in self.rules.annulled,
            holder=tuple(Holder)[number // 31 % len(Holder)],
            number=number,
        )


def _characteristic(kind: Kind, number: int) -> Characteristic | None:
    tenths = number // 64 % 3000 + 101
    if kind is Kind.PROPERTY_COMPLEX:
        return None  # An enterprise has no area: the search prints no `mainCharacters` then.
    if kind is Kind.CONSTRUCTION:
        return Characteristic(
            code="01", title="Протяженность", value=Decimal(tenths), unit_code=METRE[0], unit_title=METRE[1]
        )
    value = Decimal(tenths * 10) if kind is Kind.LAND else Decimal(tenths) / 10
    return Characteristic(
        code="05", title="Площадь", value=value, unit_code=SQUARE_METRE[0], unit_title=SQUARE_METRE[1]
    )
