"""Every kind of fault, explained.

A fault meets a call at one of three moments. BEFORE: nothing was processed. SHAPE: the call is processed, its answer is
another one. AFTER: the call was processed and succeeded, and then its answer is lost, delayed or changed. At a
`finish`, BEFORE means that nothing was charged and AFTER that it was.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from worker.simulator.papers import odd

if TYPE_CHECKING:
    from collections.abc import Mapping


class Moment(StrEnum):
    """When a fault meets its call."""

    BEFORE = "before"
    SHAPE = "shape"
    AFTER = "after"


#: Faults that any endpoint can have. Each comes BEFORE, but with `"after": true`, or where `FIXED` says otherwise.
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
    "patch": "the right JSON, but with the values of `set` and without those of `drop`, by path (`elements.0.status`)",
    "recode": "the right answer in another `charset`, said to be so unless `content_type` says otherwise",
    "headers": "the right answer with the `headers` given; null takes one away, a list sends one several times",
    "drip": "the right answer in small pieces over `seconds`",
}
FIXED: Mapping[str, Moment] = {
    "lost_answer_before_charge": Moment.BEFORE,
    "lost_answer_after_charge": Moment.AFTER,
    "reset_after_charge": Moment.AFTER,
    "status_after_charge": Moment.AFTER,
    "cut_answer": Moment.AFTER,
    "patch": Moment.AFTER,
    "recode": Moment.AFTER,
    "headers": Moment.AFTER,
    "drip": Moment.AFTER,
}
#: These say nothing without more fields, so chance never picks them.
_NEEDS_MORE = frozenset({"answer", "patch", "recode", "headers"})

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
        **odd.SAID,
    },
}
ANY = "*"


def kinds_at(endpoint: str) -> Mapping[str, str]:
    """Every kind that this endpoint can have; of `*` those that any can."""
    return {**GENERAL, **SHAPES.get(endpoint, {})}


def by_chance_at(endpoint: str) -> tuple[str, ...]:
    """The kinds of an endpoint among which chance picks."""
    return tuple(kind for kind in kinds_at(endpoint) if kind not in _NEEDS_MORE)


def moment_of(kind: str, *, is_after: bool) -> Moment:
    """When a fault of this kind meets its call."""
    if kind not in GENERAL:
        return Moment.SHAPE
    return FIXED.get(kind, Moment.AFTER if is_after else Moment.BEFORE)
