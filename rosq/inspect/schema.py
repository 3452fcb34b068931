"""JSON Schemas of what `--json` prints, made from the views themselves and their comments.

`docs/schemas/` has them as files: `python -m rosq.inspect.schema docs/schemas` writes them again.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import sys
import types
import typing
from datetime import datetime
from pathlib import Path
from typing import Any

from rosq.inspect import events as tail
from rosq.inspect import overview, pause, snapshot, throughput
from rosq.inspect.doctor import examination as doctor
from rosq.inspect.job import explain, job_view
from rosq.inspect.job import timeline as timelines
from rosq.inspect.jobs import failures, pending, rows
from rosq.inspect.jobs import listing as jobs
from rosq.inspect.steering_view import SteeringView
from rosq.inspect.view import JSON_VERSION
from rosq.job import JobState, LogLine

#: The views by name; `delayed` prints what `jobs` prints, `workers` and `lanes` what the overview does.
VIEWS: dict[str, type[Any]] = {
    "overview": overview.Overview,
    "queues": overview.QueuesView,
    "jobs": jobs.JobsView,
    "job": job_view.JobView,
    "explain": explain.Explanation,
    "pending": pending.PendingList,
    "errors": failures.ErrorsView,
    "events": tail.EventsView,
    "throughput": throughput.Throughput,
    "doctor": doctor.Diagnosis,
    "snapshot": snapshot.Snapshot,
    "steering": SteeringView,
}
#: What isn't a view: a line of `events -f`, and what stands in the place of a view that can't be had.
LINES = ("event", "error")

#: What annotations name and modules import for the type checker only.
_NAMES: dict[str, Any] = {
    "datetime": datetime,
    "EventView": timelines.EventView,
    "Diagnosis": doctor.Diagnosis,
    "ErrorsView": failures.ErrorsView,
    "EventsView": tail.EventsView,
    "Throughput": throughput.Throughput,
    "JobsView": jobs.JobsView,
    "Overview": overview.Overview,
    "PendingList": pending.PendingList,
    "DeliveryView": timelines.DeliveryView,
    "JobData": dict[str, Any],
    "JsonValue": Any,
    "LogLine": LogLine,
    "JobRow": rows.JobRow,
    "JobState": JobState,
    "Pause": pause.Pause,
}
_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
    Any: {},
}


def make_schema(name: str) -> dict[str, Any]:
    """Return the schema of a view, or of a line, by its name.

    Raises:
        KeyError: There is none of that name.
    """
    if name == "event":
        return _head(name, "One line of `rosq inspect events -f --json`.") | {"oneOf": [_event(), _dropped()]}
    if name == "error":
        return (
            _head(name, "What `--json` prints where there is no view, and `--watch` while the server is away.")
            | _error()
        )
    made = _Maker()
    schema = made.of_class(VIEWS[name])
    schema["properties"]["version"]["const"] = JSON_VERSION
    text = (VIEWS[name].__doc__ or "").strip().splitlines()[0]
    return _head(name, text) | schema | ({"$defs": made.parts} if made.parts else {})


def write_schemas(folder: Path) -> None:
    """Write every schema into a folder, one file each."""
    for name in (*VIEWS, *LINES):
        text = json.dumps(make_schema(name), indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


class _Maker:
    """Makes one schema; classes inside of it become its parts."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = {}

    def of_class(self, cls: type[Any]) -> dict[str, Any]:
        hints = typing.get_type_hints(cls, localns=_NAMES)
        comments = _read_comments(cls)
        properties = {
            field.name: self._of(hints[field.name])
            | ({"description": comments[field.name]} if field.name in comments else {})
            for field in dataclasses.fields(cls)
        }
        return {"type": "object", "properties": properties, "required": list(properties)}

    def _of(self, hint: Any) -> dict[str, Any]:
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self._of(each) for each in arguments]}
        if origin is list:
            return {"type": "array", "items": self._of(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self._of(arguments[1])}
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return {"type": "string", "enum": [each.value for each in hint]}
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if hint.__name__ not in self.parts:
                self.parts[hint.__name__] = {}
                self.parts[hint.__name__] = self.of_class(hint)
            return {"$ref": f"#/$defs/{hint.__name__}"}
        raise TypeError(f"A view has a field of type {hint}, for which there is no schema.")


def _read_comments(cls: type[Any]) -> dict[str, str]:
    """The `#:` comments before the fields of a class and of those that it builds on."""
    found: dict[str, str] = {}
    for each in reversed(cls.__mro__[:-1]):
        lines: list[str] = []
        for line in inspect.getsource(each).splitlines():
            text = line.strip()
            if text.startswith("#:"):
                lines.append(text.removeprefix("#:").strip())
                continue
            name, colon, _ = text.partition(":")
            if lines and colon and name.isidentifier():
                found[name] = " ".join(lines)
            lines = []
    return found


def _head(name: str, text: str) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"rosq {name}, version {JSON_VERSION}",
        "description": text,
    }


def _line(view: str, **properties: Any) -> dict[str, Any]:
    fixed = {"version": {"const": JSON_VERSION}, "view": {"const": view}, "queue": {"type": "string"}}
    return {"type": "object", "properties": fixed | properties, "required": [*fixed, *properties]}


def _event() -> dict[str, Any]:
    return _line("event", **_Maker().of_class(timelines.EventView)["properties"])


def _dropped() -> dict[str, Any]:
    text = "Events that were trimmed away before they could be read; null: some, this server can't say how many."
    return _line("event", dropped={"type": ["integer", "null"], "description": text})


def _error() -> dict[str, Any]:
    kind = {"type": "string", "description": "What it is, in one word; docs/inspect.md lists them."}
    problems = {"type": "array", "items": {"type": "string"}, "description": "What is wrong, one sentence each."}
    return _line("error", kind=kind, problems=problems)


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
