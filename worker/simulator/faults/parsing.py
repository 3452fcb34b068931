"""A fault from a test's JSON: every field checked, the wrong one named."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from worker.simulator import cadnum, errors
from worker.simulator.faults.fault import Fault
from worker.simulator.faults.kinds import ANY, GENERAL, SHAPES, Moment, kinds_at, moment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Lets a call pass in a sequence, where TOML has no null.
_PASS = "-"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def parse(body: Mapping[str, object], *, endpoints: frozenset[str], accounts: set[str]) -> Fault:
    """A fault from a test's JSON.

    Raises:
        Refusal: 400, naming the field and what it may be.
    """
    for name in body:
        if name not in Fault.__dataclass_fields__:
            raise _bad(name, f"is no field of a fault; known are {', '.join(Fault.__dataclass_fields__)}")
    endpoint = body.get("endpoint")
    if not isinstance(endpoint, str) or endpoint not in endpoints | {ANY}:
        raise _bad("endpoint", f"must be one of {', '.join(sorted(endpoints))}, or {ANY}")
    _check_kinds(body, endpoint)
    for name, (is_good, said) in _FIELDS.items():
        if name in body and not is_good(body[name]):
            raise _bad(name, f"must be {said}")
    if body.get("account") is not None and body["account"] not in accounts:
        raise _bad("account", "must be the username of an account")
    values = dict(body)
    for name in ("kinds", "sequence", "drop"):
        if name in values:
            values[name] = tuple(None if one == _PASS else one for one in values[name])  # type: ignore[attr-defined]
    if values.get("cad_num") is not None:
        values["cad_num"] = cadnum.key_of(str(values["cad_num"]))
    # A sequence has an end of its own, a rate none: `times` counts those that were met, where it is given.
    if ("sequence" in body or "rate" in body or "for_s" in body) and "times" not in body:
        values["times"] = None
    return Fault(**values)  # type: ignore[arg-type]


def _check_kinds(body: Mapping[str, object], endpoint: str) -> None:
    known = kinds_at(endpoint)
    given = [name for name in ("kind", "kinds", "sequence") if body.get(name) is not None]
    if len(given) > 1:
        raise _bad(given[1], f"can't be given together with {given[0]}")
    name = given[0] if given else "kind"
    value = body.get(name)
    members = value if name != "kind" and isinstance(value, list) else [value]
    if name == "kinds" and members == [ANY]:
        return
    for member in members if members else [None]:
        is_pass = name == "sequence" and member in (None, _PASS) and bool(members)
        if not is_pass and not (isinstance(member, str) and member in known):
            raise _bad(name, f"must be one of {', '.join(known)} at {endpoint}")
        if body.get("after") is True and moment_of(str(member), is_after=True) is not Moment.AFTER:
            raise _bad("after", f"has no meaning with {member}")


def _is_whole(least: int, most: int = 10**9) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_number(low: float, high: float) -> Callable[[object], bool]:
    return lambda value: type(value) in (int, float) and low <= float(str(value)) < high


def _or_null(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_object(value: object) -> bool:
    return isinstance(value, str) and cadnum.looks_valid(value)


def _is_charset(value: object) -> bool:
    try:
        codecs.lookup(str(value))
    except LookupError:
        return False
    return isinstance(value, str)


def _are_headers(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    values = [one for many in value.values() for one in (many if isinstance(many, list) else [many])]
    return all(isinstance(name, str) and _HEADER_NAME.fullmatch(name) for name in value) and all(
        one is None or (isinstance(one, str) and _HEADER_VALUE.fullmatch(one)) for one in values
    )


def _are_paths(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(path, str) for path in value)


_FIELDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "times": (_or_null(_is_whole(1)), "a whole number from 1, or null"),
    "rate": (_is_number(0, 1.000001), "a share from 0 to 1"),
    "skip": (_is_whole(0), "a whole number from 0"),
    "for_s": (_or_null(_is_number(0, 1e9)), "seconds from 0, or null"),
    "repeat": (_is_flag, "true or false"),
    "account": (_or_null(_is_text), "the username of an account"),
    "cad_num": (_or_null(_is_object), "a cadastral number"),
    "after": (_is_flag, "true or false"),
    "status": (_or_null(_is_whole(200, 599)), "an HTTP status from 200 to 599"),
    "body": (_or_null(_is_text), "a text"),
    "content_type": (_or_null(_is_text), "a text"),
    "charset": (_or_null(_is_charset), "the name of an encoding"),
    "headers": (_are_headers, "an object of header names, with a text, null or a list of texts each"),
    "seconds": (_is_number(0, 1e6), "seconds from 0"),
    "retry_after_s": (_or_null(_is_whole(0)), "whole seconds"),
    "set": (lambda value: isinstance(value, dict), "an object of paths and values"),
    "drop": (_are_paths, "a list of paths"),
}


def _bad(name: str, what: str) -> errors.Refusal:
    return errors.Refusal(400, f"{name} {what}.", field=name)


def explained() -> dict[str, object]:
    """Every kind with what it does, for people."""
    return {"any": dict(GENERAL), "one": dict(SHAPES)}
