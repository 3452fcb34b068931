"""A scenario file: what a simulator is like, in one TOML that can be kept beside a test.

`[settings]` has the settings by name; what the command line or the environment says wins over it. `[[accounts]]` are
those of an accounts file. `[[objects]]`, `[[faults]]`, `[[orders]]` and `[[rows]]` are bodies of the control API's
calls, done before the first client is answered. `[[steps]]` come later, each a call with its time:

    [[steps]]
    at_s = 60
    call = "POST /settings"
    body = { maintenance = ["00:00-23:59"] }
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.simulator import errors
from worker.simulator.control.table import perform
from worker.simulator.settings import Knobs, Settings, knobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from worker.simulator.runtime import Simulator

#: Which call each list is made of; `orders` only where nothing was kept from an earlier run.
_CALLS = {"objects": "/objects", "faults": "/faults", "orders": "/orders", "rows": "/rows"}
_ONCE = ("orders",)
_KNOWN = ("settings", "accounts", "steps", *_CALLS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A call of the control API, so many seconds after the start."""

    at_s: float
    method: str
    path: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What the file says, checked as far as it can be without a simulator."""

    name: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    accounts: Sequence[object] = ()
    lists: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()

    def prepare(self, simulator: Simulator, *, is_fresh: bool) -> None:
        """Do what comes before the first client.

        Raises:
            BadSettings: A call refuses its body; names the entry and the field.
        """
        for name, path in _CALLS.items():
            if name in _ONCE and not is_fresh:
                continue
            for index, body in enumerate(self.lists.get(name, ())):
                try:
                    perform(simulator, "POST", path, body)
                except errors.Refusal as refusal:
                    raise errors.BadSettings(f"{self.name}, {name}[{index}]: {refusal.message}") from refusal


def read(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        BadSettings: With a sentence that names what is wrong.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise errors.BadSettings(f"The scenario {path} can't be read: {exc.strerror or exc}.") from exc
    except ValueError as exc:
        raise errors.BadSettings(f"The scenario {path} is not TOML: {exc}.") from exc
    for name in content:
        if name not in _KNOWN:
            raise errors.BadSettings(f"{path}: [{name}] is unknown; known are {', '.join(_KNOWN)}.")
    settings = content.get("settings", {})
    if not isinstance(settings, dict):
        raise errors.BadSettings(f"{path}: settings must be a table.")
    _check_settings(settings, where=f"{path}, settings")
    lists = {name: _tables(content.get(name, []), where=f"{path}, {name}") for name in (*_CALLS, "accounts", "steps")}
    return Scenario(
        name=str(path),
        settings=settings,
        accounts=lists.pop("accounts"),
        steps=tuple(_step(row, where=f"{path}, steps[{index}]") for index, row in enumerate(lists.pop("steps"))),
        lists=lists,
    )


def _check_settings(settings: Mapping[str, object], *, where: str) -> None:
    turned = {name: value for name, value in settings.items() if name not in _fixed()}
    try:
        Knobs(Settings()).change(turned)
    except errors.Refusal as refusal:
        raise errors.BadSettings(f"{where}: {refusal.message}") from refusal


def _fixed() -> set[str]:
    return {knob.name for knob in knobs() if knob.metadata["fixed"]}


def _tables(rows: object, *, where: str) -> list[Mapping[str, object]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise errors.BadSettings(f"{where} must be tables, each under [[...]].")
    return rows


def _step(row: Mapping[str, object], *, where: str) -> Step:
    at_s, call, body = row.get("at_s"), row.get("call"), row.get("body", {})
    if type(at_s) not in (int, float) or not 0 <= float(str(at_s)) < 1e9:
        raise errors.BadSettings(f"{where}: at_s must be seconds from 0.")
    method, blank, path = str(call).partition(" ")
    if not blank or method not in ("POST", "DELETE") or not path.startswith("/"):
        raise errors.BadSettings(f'{where}: call must be a call of the control API, such as "POST /settings".')
    if not isinstance(body, dict) or set(row) - {"at_s", "call", "body"}:
        raise errors.BadSettings(f"{where} has at_s, call and body, nothing else; body is a table.")
    return Step(at_s=float(str(at_s)), method=method, path=path, body=body)
