"""Right answers, changed: another value in a field, a field taken away, another encoding, other headers."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.simulator.faults.fault import Fault


def patched(response: Response, fault: Fault) -> Response:
    """The answer with the values of `set` and without those of `drop`; what isn't JSON stays as it is."""
    try:
        content = json.loads(bytes(response.body))
    except ValueError:
        return response
    content = changed(content, set_=fault.set, drop=fault.drop)
    return _with_body(response, json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def changed(content: object, *, set_: Mapping[str, object], drop: tuple[str, ...]) -> object:
    """A document with other values. A path is names and numbers with dots; `*` is every member, the empty path all."""
    content = copy.deepcopy(content)
    for path, value in set_.items():
        if not path:
            return value
        for holder, name in _places(content, path):
            if isinstance(holder, dict):
                holder[str(name)] = value
            elif isinstance(holder, list) and isinstance(name, int) and name < len(holder):
                holder[name] = value
    for path in drop:
        for holder, name in list(_places(content, path))[::-1]:
            if isinstance(holder, dict):
                holder.pop(str(name), None)
            elif isinstance(holder, list) and isinstance(name, int) and name < len(holder):
                del holder[name]
    return content


def recoded(response: Response, fault: Fault) -> Response:
    """The answer in another encoding; what it can't write becomes a question mark."""
    charset = fault.charset or "windows-1251"
    text = bytes(response.body).decode("utf-8", "replace")
    answer = _with_body(response, text.encode(charset, "replace"))
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    answer.headers["content-type"] = fault.content_type or f"{media_type}; charset={charset}"
    return answer


def with_headers(response: Response, headers: Mapping[str, object]) -> Response:
    """The answer with these headers besides, or instead, or without them."""
    for name, given in headers.items():
        if name in response.headers:
            del response.headers[name]
        for value in given if isinstance(given, list) else [given]:
            if value is not None:
                response.raw_headers.append((name.lower().encode("ascii"), str(value).encode("latin-1")))
    return response


def _places(content: object, path: str) -> Iterator[tuple[object, str | int]]:
    """Where a path leads: what holds the value, and under which name; places that aren't there are left out."""
    holders = [content]
    *steps, last = path.split(".")
    for step in steps:
        holders = [value for holder in holders for name in _names(holder, step) for value in _value(holder, name)]
    for holder in holders:
        for name in _names(holder, last):
            yield holder, name


def _names(holder: object, step: str) -> list[str | int]:
    if isinstance(holder, list):
        if step == "*":
            return list(range(len(holder)))
        return [int(step)] if step.isascii() and step.isdigit() else []
    if isinstance(holder, dict):
        return list(holder) if step == "*" else [step]
    return []


def _value(holder: object, name: str | int) -> list[object]:
    if isinstance(holder, dict) and name in holder:
        return [holder[name]]
    if isinstance(holder, list) and isinstance(name, int) and name < len(holder):
        return [holder[name]]
    return []


def _with_body(response: Response, body: bytes) -> Response:
    answer = Response(body, status_code=response.status_code)
    answer.raw_headers = [
        (name, value) for name, value in response.raw_headers if name.lower() not in (b"content-length",)
    ]
    MutableHeaders(raw=answer.raw_headers)["content-length"] = str(len(body))
    return answer
