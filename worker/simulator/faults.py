"""Faults that a test orders while the simulator runs.

A fault meets a call at one of three moments. BEFORE: nothing was processed. SHAPE: the call is processed, its answer is
another one. AFTER: the call was processed and succeeded, and then its answer is lost, delayed or replaced. At a
`finish`, BEFORE means that nothing was charged and AFTER that it was.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from worker.simulator import archive, errors

if TYPE_CHECKING:
    from collections.abc import Mapping


class Moment(StrEnum):
    """When a fault meets its call."""

    BEFORE = "before"
    SHAPE = "shape"
    AFTER = "after"


#: Faults that any endpoint can have. Each comes BEFORE, but with `"after": true`, or where the name says so.
GENERAL: Mapping[str, str] = {
    "status": "a JSON error of `status` (default 500)",
    "html": "200 with the portal's HTML shell where JSON is due",
    "maintenance": "503 with the maintenance page",
    "waf": "403 with a small HTML page that says Forbidden",
    "captcha": "200 with the page that asks for the code of a picture",
    "anomaly": "200 with the page that asks a question",
    "session_expired": "401 JSON with the portal's text",
    "login_redirect": "302 to /login",
    "forbidden": "403 JSON",
    "rate_limit": "429 with `retry_after_s` (default 5)",
    "answer": "`status` (default 200), `body` and `content_type` to the letter",
    "delay": "waits `seconds`, then goes on as if nothing was, whether the client is still there or not",
    "reset": "the connection is reset",
    "close": "the connection is closed without an answer",
    "cut_answer": "half of the answer, then the connection is closed",
    "lost_answer_before_charge": "closed without an answer, nothing processed",
    "lost_answer_after_charge": "processed, then closed without an answer",
    "reset_after_charge": "processed, then reset",
    "status_after_charge": "processed, then a JSON error of `status` (default 500)",
}
_FIXED = {
    "lost_answer_before_charge": Moment.BEFORE,
    "lost_answer_after_charge": Moment.AFTER,
    "reset_after_charge": Moment.AFTER,
    "status_after_charge": Moment.AFTER,
    "cut_answer": Moment.AFTER,
}

#: Faults of one endpoint: it is processed, and answers otherwise than it should.
SHAPES: Mapping[str, Mapping[str, str]] = {
    "search": {
        "not_found": "no element, count 0",
        "several_objects": "the object and another one",
        "other_object": "another object than was asked for",
        "missing_elements": "JSON without `elements`",
    },
    "card": {
        "not_found": "no element, count 0",
        "other_object": "another object than was asked for",
        "annulled": 'the object\'s status is not "1"',
        "missing_elements": "JSON without `elements`",
    },
    "balance": {"no_item": "the subscription's item is missing"},
    "roles": {"logged_out": "200 with `logged: false` and no roles"},
    "access_key_current": {"no_key": "null"},
    "access_key": {"no_key": "404"},
    "finish": {
        "number_less": "charged, and the answer holds no number",
        "wrong_number": "charged, and the answer is the number of no order",
        "hidden": "charged, and the row never shows in the list",
        "refused_later": "charged, and ends as `rejected` / «Отказ»",
        "notice_later": "charged, and ends with a notice of absence",
    },
    "applications": {
        "no_content": "a page without `content`",
        "link": "a body with the key `link`: the session is over",
        "null_count": "`numberOfElements` is null",
        "unfiltered": "the filters are ignored",
        "empty": "an empty page",
    },
    "download": {
        "empty_download": "200 with no byte",
        "cut_download": "half of the bytes, then the connection is closed",
        **{kind: (pack.__doc__ or "").splitlines()[0] for kind, pack in archive.ODD.items()},
    },
}
ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One order of a test: which calls, what happens to them, how often."""

    endpoint: str
    kind: str
    #: How many calls it meets; None means every one until it is taken away.
    times: int | None = 1
    #: Only this account's calls; of the login's own, those that name it (`login`, not what leads there).
    account: str | None = None
    after: bool = False
    status: int | None = None
    body: str | None = None
    content_type: str = "text/html; charset=utf-8"
    seconds: float = 1.0
    retry_after_s: int = 5

    @property
    def moment(self) -> Moment:
        """When it meets its call."""
        if self.kind not in GENERAL:
            return Moment.SHAPE
        return _FIXED.get(self.kind, Moment.AFTER if self.after else Moment.BEFORE)


def parse(body: Mapping[str, object], *, endpoints: set[str], accounts: set[str]) -> Fault:
    """A fault from a test's JSON.

    Raises:
        Refusal: 400, naming the field and what it may be.
    """
    for name in body:
        if name not in Fault.__dataclass_fields__:
            raise _bad(name, f"is no field of a fault; known are {', '.join(Fault.__dataclass_fields__)}")
    endpoint, kind = body.get("endpoint"), body.get("kind")
    if not isinstance(endpoint, str) or endpoint not in endpoints | {ANY}:
        raise _bad("endpoint", f"must be one of {', '.join(sorted(endpoints))}, or {ANY}")
    known = {**GENERAL, **SHAPES.get(endpoint, {})}
    if not isinstance(kind, str) or kind not in known:
        raise _bad("kind", f"must be one of {', '.join(known)} at {endpoint}")
    checks: dict[str, tuple[bool, str]] = {
        "times": (_is_whole(body.get("times", 1), 1) or body.get("times", 1) is None, "a whole number from 1, or null"),
        "account": (
            body.get("account") is None or (isinstance(body["account"], str) and body["account"] in accounts),
            "the username of an account",
        ),
        "after": (isinstance(body.get("after", False), bool), "true or false"),
        "status": (
            body.get("status") is None or (_is_whole(body["status"], 200) and int(str(body["status"])) <= 599),
            "an HTTP status from 200 to 599",
        ),
        "body": (isinstance(body.get("body"), str | None), "a text"),
        "content_type": (isinstance(body.get("content_type", ""), str), "a text"),
        "seconds": (
            type(seconds := body.get("seconds", 1.0)) in (int, float) and 0 <= float(str(seconds)) < 1e6,
            "seconds from 0",
        ),
        "retry_after_s": (_is_whole(body.get("retry_after_s", 1), 0), "whole seconds"),
    }
    for name, (is_good, said) in checks.items():
        if not is_good:
            raise _bad(name, f"must be {said}")
    fault = Fault(**body)  # type: ignore[arg-type]
    if fault.after and fault.moment is not Moment.AFTER:
        raise _bad("after", f"has no meaning with {kind}")
    return fault


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _bad(name: str, what: str) -> errors.Refusal:
    return errors.Refusal(400, f"{name} {what}.", field=name)


class FaultBook:
    """The faults that stand, in the order they were given: the first that fits a call meets it."""

    def __init__(self) -> None:
        self._count = 0
        self._faults: dict[int, Fault] = {}
        self._hits: dict[int, int] = {}

    def add(self, fault: Fault) -> int:
        """Let a fault stand; returns its id."""
        self._count += 1
        self._faults[self._count] = fault
        self._hits[self._count] = 0
        return self._count

    def take(self, moment: Moment, endpoint: str, account: str | None) -> Fault | None:
        """The fault that meets this call at this moment; it is used up by one."""
        for id_, fault in self._faults.items():
            is_spent = fault.times is not None and self._hits[id_] >= fault.times
            is_for = fault.endpoint in (endpoint, ANY) and fault.account in (None, account)
            if fault.moment is moment and is_for and not is_spent:
                self._hits[id_] += 1
                return fault
        return None

    def clear(self) -> int:
        """Take all faults away; returns how many there were."""
        count = len(self._faults)
        self._faults.clear()
        self._hits.clear()
        return count

    def list(self) -> list[dict[str, object]]:
        """Every fault with its id and how often it met a call; used-up ones too."""
        return [{"id": id_, **asdict(fault), "hits": self._hits[id_]} for id_, fault in self._faults.items()]
