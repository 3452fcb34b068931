"""The log lines of rosq as its page lists them: read from the code, so that neither can change without the other."""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path

import rosq

PACKAGE = Path(rosq.__file__).parent
PAGE = PACKAGE.parent / "docs" / "events.md"
LEVELS = {"exception": "ERROR"}
METHODS = ("debug", "info", "warning", "error", "exception", "critical", "log")
#: The keys that docs and dashboards may rely on anywhere.
SHARED = {
    "event",
    "queue",
    "worker_id",
    "job_id",
    "attempt",
    "delivery",
    "delay_s",
    "duration_s",
    "error_type",
    "error",
}

#: A line: its events, its level ("" where it is reckoned), its facts.
Line = tuple[set[str], str, set[str]]


class Module:
    """The log calls of one module, with what their `extra` comes to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tree = ast.parse(path.read_text(encoding="utf-8"))
        self._assigned = {
            ast.unparse(target): node.value
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
        }

    def lines(self) -> list[Line]:
        found = []
        for node in ast.walk(self._tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
                continue
            if ast.unparse(node.func.value) != "log":
                continue
            extra = next((keyword.value for keyword in node.keywords if keyword.arg == "extra"), None)
            assert extra is not None, f"{self._where(node)}: a log line without facts"
            facts = self._keys(extra)
            assert "event" in facts, f"{self._where(node)}: a log line without an event"
            level = "" if node.func.attr == "log" else LEVELS.get(node.func.attr, node.func.attr.upper())
            found.append((self._events(extra), level, facts - {"event"}))
        return found

    def _where(self, node: ast.expr) -> str:
        return f"{self.path.name}:{node.lineno}"

    def _dict(self, node: ast.expr) -> ast.Dict:
        node = self._assigned[ast.unparse(node)] if isinstance(node, ast.Name) else node
        assert isinstance(node, ast.Dict), f"{self._where(node)}: facts that this test can't read"
        return node

    def _keys(self, node: ast.expr) -> set[str]:
        text = ast.unparse(node)
        if text in ("self._facts", "worker_facts") or text.startswith("facts.of_worker("):
            return set(rosq.facts.of_worker("", ""))
        if text.startswith("facts.of_delivery("):
            return {"job_id", "delivery", "attempt"}
        if text.startswith("facts.of_error("):
            return set(rosq.facts.of_error(ValueError()))
        keys: set[str] = set()
        found = self._dict(node)
        for key, value in zip(found.keys, found.values, strict=True):
            if key is None:
                keys |= self._keys(value)
            else:
                assert isinstance(key, ast.Constant)
                keys.add(str(key.value))
        return keys

    def _events(self, node: ast.expr) -> set[str]:
        found = self._dict(node)
        for key, value in zip(found.keys, found.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "event":
                if isinstance(value, ast.Constant):
                    return {str(value.value)}
                assert isinstance(value, ast.Subscript), f"{self._where(value)}: an event that this test can't read"
                table = self._dict(value.value)
                return {str(each.value) for each in table.values if isinstance(each, ast.Constant)}
        raise AssertionError(f"{self._where(node)}: give the event in the dict that the call itself names")


def written() -> dict[str, tuple[set[str], set[str]]]:
    """Of each event in the code its levels and its facts, over all places that write it."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for events, level, facts in Module(path).lines():
            for event in events:
                levels, known = found.setdefault(event, (set(), set()))
                levels.add(level)
                known |= facts
    return found


def documented() -> dict[str, tuple[set[str], set[str]]]:
    """The same as the page has it."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.split("\n## rosq\n")[1].split("\n# ")[0]
    found = {}
    for row in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE):
        events, levels, _, facts = row.split(" | ")
        facts = re.sub(r"\(.*?\)", "", facts)
        for event in re.findall(r"`(\w+)`", events):
            found[event] = (set(re.findall(r"[A-Z]+", levels)), set(re.findall(r"`(\w+)`", facts)))
    return found


def test_every_log_line_is_on_the_page_and_the_page_has_no_other() -> None:
    assert set(written()) == set(documented())


def test_the_page_names_the_facts_of_every_log_line() -> None:
    assert {event: facts for event, (_, facts) in written().items()} == {
        event: facts for event, (_, facts) in documented().items()
    }


def test_the_page_names_the_levels_of_every_log_line() -> None:
    page = documented()
    for event, (levels, _) in written().items():
        if "" not in levels:
            assert levels == page[event][0], event


def test_facts_keep_off_what_a_record_has_itself() -> None:
    own = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

    for event, (_, facts) in written().items():
        assert not facts & own, event


def test_every_line_says_of_which_queue_it_speaks_and_none_spells_a_fact_in_another_way() -> None:
    for event, (_, facts) in written().items():
        assert "queue" in facts, event
        assert facts.isdisjoint({"worker", "job", "id", "fence", "err", "exception", "delay", "duration"}), event
        for name in facts - SHARED:
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name), event
