"""What a setting can be: how it is read from an option, from TOML and from JSON alike, and how it is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.simulator import chance, stages, windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

    from worker.simulator.chance import Spread
    from worker.simulator.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One sort of value. `read` raises ValueError with a sentence where the value makes no sense."""

    metavar: str
    read: Callable[[object], Any]
    show: Callable[[Any], object] = lambda value: value
    #: The words of a choice.
    words: tuple[str, ...] = ()
    is_flag: bool = False
    is_many: bool = False


def seconds(*, more_than_0: bool = False) -> Kind:
    """A time; zero often means that there is no such limit, which the option's help says."""

    def read(value: object) -> float:
        number = _number(value)
        if number < 0 or (more_than_0 and number == 0):
            raise ValueError(f"{value} must be {'more than' if more_than_0 else 'at least'} 0 seconds")
        return number

    return Kind(metavar="SECONDS", read=read)


def count(*, least: int = 0, most: int = 10**9) -> Kind:
    """A whole number."""

    def read(value: object) -> int:
        number = _number(value)
        if number != int(number) or not least <= number <= most:
            raise ValueError(f"{value} must be a whole number from {least}" + (f" to {most}" if most < 10**9 else ""))
        return int(number)

    return Kind(metavar="NUMBER", read=read)


def share() -> Kind:
    """A probability."""

    def read(value: object) -> float:
        number = _number(value)
        if not 0 <= number <= 1:
            raise ValueError(f"{value} must be from 0 (never) to 1 (always)")
        return number

    return Kind(metavar="SHARE", read=read)


def flag() -> Kind:
    """Yes or no."""

    def read(value: object) -> bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        found = value if isinstance(value, bool) else words.get(str(value).lower())
        if found is None:
            raise ValueError(f"{value} must be true or false")
        return found

    return Kind(metavar="", read=read, is_flag=True)


def choice(members: type[StrEnum]) -> Kind:
    """One of a few words."""

    def read(value: object) -> StrEnum:
        try:
            return members(str(value))
        except ValueError as exc:
            raise ValueError(f"{value} must be one of {', '.join(members)}") from exc

    return Kind(
        metavar="WORD", read=read, show=lambda value: value.value, words=tuple(member.value for member in members)
    )


def text() -> Kind:
    """Any text; empty where there is none."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{value} must be a text")
        return value

    return Kind(metavar="TEXT", read=read)


def url() -> Kind:
    """An address of HTTP; empty where there is none."""

    def read(value: object) -> str:
        if not isinstance(value, str) or (value and not value.startswith(("http://", "https://"))):
            raise ValueError(f"{value!r} must be an address that begins with http:// or https://")
        return value

    return Kind(metavar="URL", read=read)


def spread() -> Kind:
    """A time that is spread."""

    def read(value: object) -> Spread:
        return value if isinstance(value, chance.Spread) else chance.spread_of(_plain(value))

    return Kind(metavar="SPREAD", read=read, show=lambda value: value.text)


def window_list() -> Kind:
    """Windows of Moscow time: one, or several."""

    def read(value: object) -> tuple[Window, ...]:
        many = value.replace(";", " ").split() if isinstance(value, str) else value
        if not isinstance(many, list | tuple):
            raise ValueError("must be windows, such as 02:00-04:30 or sat,sun@00:00-09:00")
        return tuple(
            member if isinstance(member, windows.Window) else windows.window_of(str(member)) for member in many
        )

    return Kind(metavar="WINDOW", read=read, show=lambda value: [member.text for member in value], is_many=True)


def stage_list() -> Kind:
    """What an order shows on its way."""
    return Kind(metavar="STAGE", read=stages.stages_of, show=stages.shown)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"{value!r} must be a number") from exc
    if not math.isfinite(number):
        raise ValueError(f"{value!r} must be a finite number")
    return number


def _plain(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} must be a time in seconds")
    return str(value)
