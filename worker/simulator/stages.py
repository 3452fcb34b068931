"""What an order shows on its way, and when: by the share of its time that has passed, or by a script of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A pair of status code and text, shown until a share of the way has passed."""

    until: float
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """A pair that an order shows from so many seconds after its `finish` on."""

    at_s: float
    code: str
    text: str


def stages_of(value: object) -> tuple[Stage, ...]:
    """Read `0.2:created:Создана; 0.5:sent:Отправлена`, or a list of such texts.

    Raises:
        ValueError: With a sentence that says how they are written.
    """
    parts = value.split(";") if isinstance(value, str) else value
    stages = []
    for part in parts if isinstance(parts, list | tuple) else [None]:
        if isinstance(part, Stage):
            stages.append(part)
            continue
        share, _, pair = str(part).strip().partition(":")
        code, colon, text = pair.partition(":")
        try:
            until = float(share)
        except ValueError:
            until = -1.0
        if not colon or not 0 <= until <= 1:
            raise ValueError(f"{part!r} is no stage: give SHARE:CODE:TEXT, such as 0.2:created:Создана")
        stages.append(Stage(until=until, code=code, text=text))
    return tuple(sorted(stages, key=lambda stage: stage.until))


def shown(stages: tuple[Stage, ...]) -> str:
    """The stages as they are written."""
    return "; ".join(f"{stage.until:g}:{stage.code}:{stage.text}" for stage in stages)
