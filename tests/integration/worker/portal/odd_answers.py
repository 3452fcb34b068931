"""Every answer that the portal may give, sane or not: generated, for tests that ask each call for all of them."""

from __future__ import annotations

import copy
import gzip
import json
from typing import TYPE_CHECKING, Any

from tests.integration.worker.portal.server import HTML, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

WAF = "<html><h1>Forbidden</h1><p>Request id: 1 Client IP: 192.0.2.1 Rule id: 7</p></html>"
PAGES = {
    "shell": "<!doctype html><html><body><div id=root></div></body></html>",
    "works": "<html>На портале ведутся технические работы</html>",
    "firewall": WAF,
    "captcha": "<html>Введите код с картинки</html>",
    "question": "<html><p>Подтвердите, что это вы</p></html>",
    "expired": "<html>Время сессии истекло. Пожалуйста, обновите страницу</html>",
    "something": "<html>?</html>",
}
STATUSES = (
    200,
    204,
    206,
    301,
    302,
    304,
    400,
    401,
    403,
    404,
    406,
    408,
    409,
    413,
    415,
    422,
    429,
    451,
    500,
    502,
    503,
    504,
    599,
)
#: JSON of every type, and what no JSON should hold.
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "minus one": -1,
    "2^31": 2**31,
    "2^63": 2**63,
    "-2^63-1": -(2**63) - 1,
    "10^300": 10**300,
    "a fraction": 1.5,
    "1e308": 1e308,
    "empty text": "",
    "blank": "  ",
    "a text": "x",
    "digits": "12345",
    "more digits than any id": "9" * 40,
    "NUL": "a\0b",
    "half a pair": "\ud800",
    "line ends": "a\r\nSet-Cookie: b=c",
    "Russian": "Ошибка",
    "a long text": "я" * 5000,
    "no items": [],
    "an item": [1],
    "lists in lists": [[[]]],
    "no fields": {},
    "a field": {"a": 1},
}
#: Those of them that a field is tried with.
ODDEST = (
    *("null", "true", "minus one", "2^63", "10^300", "a fraction", "empty text", "more digits than any id", "NUL"),
    *("half a pair", "line ends", "a long text", "no items", "a field"),
)
#: Bodies that are labelled as JSON and aren't.
BROKEN = {
    "half": b'{"elements": [',
    "nothing": b"",
    "NaN": b"[NaN]",
    "infinity": b'{"count": Infinity}',
    "deep": b"[" * 100_000,
    "digits without end": b"1" * 10_000,
    "bytes": bytes(range(256)),
    "a number beyond all": b"[1e99999999999]",
    "UTF-16": json.dumps({"a": "б"}, ensure_ascii=False).encode("utf-16"),
}
RETRY_AFTER = (
    *("0", "1", "59", "86400", "86401", "9999999999", "9" * 400, "-1", "1.5", "soon", "", "0x10", "٣"),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"),
    *("Mon, 99 Foo 2026", "Fri, 31 Dec 99999 23:59:59 GMT", "1 Jan 0001 00:00:00 +2359"),
)
LOCATIONS = (
    "",
    "/login",
    "/login?x=1",
    "/elsewhere",
    "http://[bad",
    "https://esia.example.org/ac",
    "//",
    "javascript:1",
)
CHARSETS = (
    *(
        "utf-8",
        "windows-1251",
        "koi8-r",
        "cp866",
        "utf-16",
        "idna",
        "punycode",
        "undefined",
        "base64",
        "unicode_escape",
    ),
    *("raw_unicode_escape", "utf-7", "no-such", '"', "utf_8_sig", "zlib"),
)


def whole() -> Iterator[tuple[str, Reply]]:
    """Whole answers that fit any call badly."""
    for status in STATUSES:
        yield f"{status} JSON", Reply(status=status, body={"error": "x"})
        yield f"{status} page", Reply(status=status, body=PAGES["something"], content_type=HTML)
    for status in (200, 403, 500):
        yield f"{status} text", Reply(status=status, body="x", content_type="text/plain")
        yield f"{status} nothing", Reply(status=status, body=b"", content_type="")
    for name, page in PAGES.items():
        yield f"page: {name}", Reply(body=page, content_type=HTML)
        yield f"page without its label: {name}", Reply(body=page)
    for name, value in VALUES.items():
        yield f"JSON: {name}", Reply(body=value)
        yield f"refused with JSON: {name}", Reply(status=400, body={"errors": value, "field": value})
    for name, content in BROKEN.items():
        yield f"broken: {name}", Reply(body=content)
    for value in RETRY_AFTER:
        for status in (200, 429):
            headers = (("Retry-After", value.encode().decode("latin-1")),)
            yield f"{status}, Retry-After: {value[:40]}", Reply(status=status, body={}, headers=headers)
    for location in LOCATIONS:
        yield f"302 to {location!r}", Reply(status=302, headers=(("Location", location),))
    for charset in CHARSETS:
        kind = f"application/json; charset={charset}"
        yield f"JSON in {charset}", Reply(body='{"a": "б"}', content_type=kind)
        yield f"a page in {charset}", Reply(body="<html>б\xff", content_type=f"text/html; charset={charset}")
    yield "not the encoding that it says", Reply(body={}, headers=(("Content-Encoding", "gzip"),))
    yield "packed", Reply(body=gzip.compress(b"[]"), headers=(("Content-Encoding", "gzip"),))
    yield (
        "odd cookies",
        Reply(
            body={},
            headers=(("Set-Cookie", "a"), ("Set-Cookie", "b=\x80; Max-Age=9e99; Expires=soon; Domain=[; Path=?")),
        ),
    )
    for action in ("close", "reset", "cut"):
        yield action, Reply(body={"a": 1}, action=action)


def fields(good: Any) -> Iterator[tuple[str, Reply]]:
    """A good answer with one field of it taken away, or of another type or size."""
    for path in _paths(good):
        where = ".".join(map(str, path))
        yield f"without {where}", Reply(body=_changed(good, path, remove=True))
        for name in ODDEST:
            value = VALUES[name]
            yield f"{where} = {name}", Reply(body=_changed(good, path, value))


def _paths(value: Any, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in items:
        yield (*before, name)
        yield from _paths(member, (*before, name))


def _changed(good: Any, path: tuple[str | int, ...], value: Any = None, *, remove: bool = False) -> Any:
    changed = copy.deepcopy(good)
    at = changed
    for name in path[:-1]:
        at = at[name]
    if remove:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return changed
