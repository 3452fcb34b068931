"""JSON to cookies: an extension's list, a browser's state, a recording of requests, or plain names and values."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any
from urllib.parse import urlsplit

from orders_service.accounts.session_file.found import Found, SessionUnreadable
from orders_service.accounts.session_file.text_forms import split_header


def read(document: Any, host: str) -> list[Found]:
    """Return the cookies of a JSON document.

    Raises:
        SessionUnreadable: It holds something else, or has no request to this host.
    """
    if isinstance(document, list):
        return _read_list(document)
    if isinstance(document, dict):
        if isinstance(document.get("cookies"), list):
            # Playwright's and Puppeteer's state, and some extensions' exports.
            return _read_list(document["cookies"])
        if isinstance(document.get("log"), dict):
            return _read_har(document["log"], host)
        if all(isinstance(value, str) for value in document.values()):
            return [Found(name=name, value=value) for name, value in document.items()]
    raise not_cookies(document)


def not_cookies(document: Any) -> SessionUnreadable:
    """Return the error of JSON that is something else."""
    match document:
        case dict():
            what = "an object of other things"
        case list():
            what = "a list of other things"
        case str():
            what = "a text"
        case _:
            what = "a single value"
    return SessionUnreadable(
        f"its JSON is {what}, not cookies: give the export of an extension, a browser's state (cookies), a HAR, or an "
        "object of cookie names and values."
    )


def _read_list(items: list[Any]) -> list[Found]:
    if items and not any(isinstance(item, dict) and "name" in item for item in items):
        raise not_cookies(items)
    return [_read_cookie(item, number) for number, item in enumerate(items, start=1)]


def _read_cookie(item: Any, number: int) -> Found:
    name, value = (item.get("name"), item.get("value")) if isinstance(item, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(value, str):
        raise SessionUnreadable(f"cookie number {number} has no name or no value that is a text: export them again.")
    domain, path = _text(item.get("domain")), _text(item.get("path"))
    is_host_only = item.get("hostOnly")
    return Found(
        name=name,
        value=value,
        domain=domain,
        # The leading dot says it where nothing else does.
        is_host_only=is_host_only if isinstance(is_host_only, bool) else not domain.startswith("."),
        path=path or ("/" if domain else None),
        expires_at_s=None if item.get("session") is True else _read_time(item),
    )


def _read_time(item: dict[str, Any]) -> float | None:
    """Return when it expires. Below 0, and what is no time, means with the session."""
    moment = next((item[key] for key in ("expirationDate", "expires", "expiry") if item.get(key) is not None), None)
    if isinstance(moment, str):
        try:
            moment = dt.datetime.fromisoformat(moment).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        return None
    try:
        seconds = float(moment)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _read_har(log: dict[str, Any], host: str) -> list[Found]:
    """The cookies of the last request to the portal that had some: those that the browser had in the end."""
    entries = log.get("entries")
    requests = [
        entry["request"]
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("request"), dict)
    ]
    own = [request for request in requests if _host_of(request.get("url")) == host]
    if not own:
        raise SessionUnreadable(
            f"it is a HAR without a request to {host} ({len(requests)} to others): record one on the portal's page."
        )
    for request in reversed(own):
        if found := _cookies_of(request):
            return found
    raise SessionUnreadable(
        "it is a HAR without cookies, since browsers leave them out: export it with sensitive data, or copy the "
        "Cookie header."
    )


def _cookies_of(request: dict[str, Any]) -> list[Found]:
    cookies = request.get("cookies")
    if isinstance(cookies, list) and cookies:
        return _read_list(cookies)
    headers = request.get("headers")
    found: list[Found] = []
    for header in headers if isinstance(headers, list) else ():
        if isinstance(header, dict) and _text(header.get("name")).lower() == "cookie":
            found += split_header(_text(header.get("value")))
    return found


def _host_of(url: Any) -> str:
    try:
        return (urlsplit(_text(url)).hostname or "").lower()
    except ValueError:
        return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
