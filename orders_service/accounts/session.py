"""A session at the portal as it is stored: cookies, each with its path, since one name may stand twice."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# As the portal's client can send them.
COOKIE_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
COOKIE_VALUE: Final = re.compile(r"[\x21-\x3a\x3c-\x5b\x5d-\x7e]{0,8192}")
COOKIE_PATH: Final = re.compile(r"/[\x21-\x3a\x3c-\x7e]{0,999}")
MAX_COOKIES: Final = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """A cookie of the portal; `repr` doesn't show its value."""

    name: str
    value: str = dataclasses.field(repr=False)
    path: str = "/"


def of_names(cookies: Mapping[str, str]) -> tuple[Cookie, ...]:
    """Return cookies that are for all of the portal."""
    return tuple(Cookie(name=name, value=value) for name, value in cookies.items())


def write(cookies: Sequence[Cookie]) -> str:
    """Return the text that is sealed, and that the worker reads.

    An object of names and values, which workers of every version read, wherever that tells all; else a list.
    """
    by_name = {cookie.name: cookie.value for cookie in cookies}
    if len(by_name) == len(cookies) and all(cookie.path == "/" for cookie in cookies):
        return json.dumps(by_name, ensure_ascii=False)
    return json.dumps([dataclasses.asdict(cookie) for cookie in cookies], ensure_ascii=False)
