"""Bytes of a file to cookies: how its text is written, and which form it is."""

from __future__ import annotations

import json
from typing import Any, Final

from orders_service.accounts.session_file import json_forms, text_forms
from orders_service.accounts.session_file.found import SessionFile, SessionUnreadable, sort

#: A HAR holds every answer of a visit. Whoever reads a file reads no more than this and one byte.
MAX_FILE_BYTES: Final = 32 << 20

_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_session(content: bytes, host: str, *, now_s: float) -> SessionFile:
    """Return the session that stands in a file that a browser, an extension of it or a tool wrote.

    Args:
        host: The portal's, in lower case: what is of other sites is left out.
        now_s: Seconds since 1970: what has expired by then is left out.

    Raises:
        SessionUnreadable: It is none, or none of this host; says what it is and what to do.
    """
    if len(content) > MAX_FILE_BYTES:
        raise SessionUnreadable(f"it has more than {MAX_FILE_BYTES >> 20} MiB: export the portal's cookies alone.")
    text = _decode(content).strip()
    if not text:
        raise SessionUnreadable("it is empty: export the cookies while you are logged in to the portal.")
    if text[0] in "{[":
        document = _parse(text)
        if document == {}:
            return SessionFile(cookies=())
        return sort(json_forms.read(document, host), host, now_s=now_s)
    if text[0] == '"' or text in ("null", "true", "false"):
        raise json_forms.not_cookies(_parse(text))
    return sort(text_forms.read(text, host), host, now_s=now_s)


def _decode(content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    if not encoding:
        # UTF-16 without its mark: every other byte of ASCII is NUL.
        head = content[:4000]
        if head[1::2].count(0) > len(head) // 4:
            encoding = "utf-16-le"
        elif head[0::2].count(0) > len(head) // 4:
            encoding = "utf-16-be"
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding:
            raise _not_text() from None
        # The cookies that can be used are ASCII; what is beside them may be in any of the old encodings.
        text = content.decode("latin-1")
    if "\0" in text:
        raise _not_text()
    return text


def _not_text() -> SessionUnreadable:
    return SessionUnreadable("it isn't text: export the cookies as JSON or as cookies.txt.")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        # Not its cause, which holds the whole text.
        raise SessionUnreadable(
            f"its JSON breaks off or is damaged at line {exc.lineno}, column {exc.colno}: export it again, whole."
        ) from None
    except (ValueError, RecursionError):
        raise SessionUnreadable("its JSON can't be read: export the cookies again.") from None
