"""Text to cookies: cookies.txt, a Cookie header with or without the others, a command copied as cURL."""

from __future__ import annotations

import itertools
import re
import shlex
from typing import Final
from urllib.parse import urlsplit

from orders_service.accounts.session import COOKIE_NAME
from orders_service.accounts.session_file.found import Found, SessionUnreadable

_NETSCAPE: Final = re.compile(r"#[ \t]*(?:Netscape[ \t]+)?HTTP[ \t]+Cookie[ \t]+File", re.IGNORECASE)
_HTTP_ONLY: Final = "#HttpOnly_"
_FIELDS: Final = 7
_MOMENT: Final = re.compile(r"-?[0-9]{1,20}")
_CURL: Final = re.compile(r"(?:\$[ \t]+)?curl(?:\.exe)?\s", re.IGNORECASE)
#: Browsers copy a header with its value behind it or on the next line.
_COOKIE_LINE: Final = re.compile(
    r"^[ \t]*cookie[ \t]*(?::[ \t]*(?=\S)|:?[ \t]*\r?\n(?![\w-]+:[ \t]))[ \t]*(\S.*)$", re.IGNORECASE | re.MULTILINE
)
_HOST_LINE: Final = re.compile(
    r"^[ \t]*(?:host|:authority)[ \t]*(?::[ \t]*(?:\r?\n)?|\r?\n)[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE
)
_ANSI_C: Final = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{1,4}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t"}


def read(text: str, host: str) -> list[Found]:
    """Return the cookies of a text.

    Raises:
        SessionUnreadable: It is in no form that is known, is cut, or is about another host.
    """
    if _CURL.match(text):
        return _read_curl(text, host)
    if _NETSCAPE.match(text) or _is_table(text):
        return _read_table(text)
    values = [match[1] for match in _COOKIE_LINE.finditer(text)]
    if not values and "\n" not in text and "=" in text and COOKIE_NAME.fullmatch(text.partition("=")[0].strip()):
        values = [text]
    if not values:
        raise SessionUnreadable(
            "it is in no form that is known: give cookies.txt, the JSON of an extension, a browser's state, a HAR, a "
            "Cookie header, or a request copied as cURL."
        )
    if match := _HOST_LINE.search(text):
        _check_host(f"//{match[1]}", host)
    return [cookie for value in values for cookie in split_header(value)]


def split_header(value: str) -> list[Found]:
    """Return the cookies of a Cookie header.

    Raises:
        SessionUnreadable: It is shortened or cut.
    """
    if "…" in value:
        raise SessionUnreadable("the browser's window has shortened the header (…): copy its value by the menu.")
    pieces = [piece.strip() for piece in value.strip().rstrip(";").split(";")]
    if pieces and pieces[-1] and "=" not in pieces[-1]:
        raise SessionUnreadable("the header breaks off in its last cookie: copy it again, whole.")
    parted = [piece.partition("=") for piece in pieces if piece]
    return [Found(name=name.strip(), value=worth.strip()) for name, _, worth in parted]


def _is_table(text: str) -> bool:
    """Whether its first line that isn't a comment is one of a cookies.txt without its heading."""
    lines = (line for line in text.splitlines() if line.strip())
    first = next((line for line in lines if not line.startswith("#") or line.startswith(_HTTP_ONLY)), "")
    fields = first.split("\t")
    return len(fields) >= 4 and fields[1].upper() in ("TRUE", "FALSE")


def _read_table(text: str) -> list[Found]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or (line.lstrip().startswith("#") and not line.startswith(_HTTP_ONLY)):
            continue
        row = line.removeprefix(_HTTP_ONLY)
        # What was copied from a window has blanks in place of tabs.
        fields = row.split("\t") if "\t" in row else row.split(None, _FIELDS - 1)
        if len(fields) == _FIELDS - 1:
            fields.append("")  # an empty value, whose tab was stripped
        moment = fields[4].strip().partition(".")[0] if len(fields) == _FIELDS else ""
        if not _MOMENT.fullmatch(moment) or fields[1].upper() not in ("TRUE", "FALSE"):
            raise SessionUnreadable(
                f"line {number} isn't one of a cookies.txt, which has {_FIELDS} fields with tabs between: it is cut or "
                "was edited, export it again."
            )
        found.append(
            Found(
                name=fields[5],
                value=fields[6].strip(),
                domain=fields[0].strip(),
                is_host_only=fields[1].upper() == "FALSE",
                path=fields[2].strip() or "/",
                expires_at_s=float(moment) if int(moment) > 0 else None,
            )
        )
    return found


def _read_curl(text: str, host: str) -> list[Found]:
    try:
        words = shlex.split(_to_posix(text))
    except ValueError:
        raise SessionUnreadable("the command copied as cURL breaks off: copy it again, whole.") from None
    url = next((word for word in words[1:] if re.match(r"https?://", word, re.IGNORECASE)), "")
    if url:
        _check_host(url, host)
    values = []
    for flag, word in itertools.pairwise(words):
        if flag in ("-H", "--header") and word.lower().startswith("cookie:"):
            values.append(word.partition(":")[2])
        elif flag in ("-b", "--cookie"):
            values.append(word)
    if not values:
        raise SessionUnreadable(
            "the command copied as cURL has no cookies: copy a request that the portal got while you were logged in."
        )
    return [cookie for value in values for cookie in split_header(value)]


def _to_posix(text: str) -> str:
    """Return a command for Windows' or for bash's shell in words that `shlex` parts."""
    if '^"' in text:
        text = re.sub(r"\^(\r?\n|.)", lambda match: " " if match[1].isspace() else match[1], text)
    return _ANSI_C.sub(lambda match: shlex.quote(_ESCAPE.sub(_unescape, match[1])), text)


def _unescape(match: re.Match[str]) -> str:
    what = match[1]
    if what[0] in "ux" and len(what) > 1:
        return chr(int(what[1:], 16))
    return _CONTROLS.get(what, what)


def _check_host(url: str, host: str) -> None:
    try:
        named = (urlsplit(url).hostname or "").lower()
    except ValueError:
        named = ""
    if named != host:
        raise SessionUnreadable(f"the request goes to another host, not to {host}: copy one to the portal.")
