"""docs/events.md names each log line."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]


def events_of(path: Path) -> set[str]:
    """Names that stand as a value of `event`: in `extra={"event": …}`, or as `event=…` of a call."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        values: list[ast.expr] = []
        if isinstance(node, ast.Dict):
            values = [
                value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "event"
            ]
        elif isinstance(node, ast.Call):
            values = [keyword.value for keyword in node.keywords if keyword.arg == "event"]
        names.update(
            value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)
        )
    return names


def test_each_event_of_the_service_is_explained() -> None:
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    found = {event for path in (ROOT / "orders_service").rglob("*.py") for event in events_of(path)}

    assert "serving" in found, "the search works"
    assert {event for event in found if f"`{event}`" not in text} == set()
