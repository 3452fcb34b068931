"""The person's access key, without which nothing can be ordered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from worker.portal.errors import AccountUnusable, Lack, UnreadableAnswer
from worker.portal.wire.answers import Answer, StepRefused, decode_json, parse_json
from worker.portal.wire.shapes import Node
from worker.portal.wire.transport import SEARCH_PAGE, Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.portal.login.session import Session

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def read_access_key(session: Session) -> str:
    """Return the key. Where the first place shows none, the second one is asked before it is said that there is none.

    Raises:
        AccountUnusable: The person has no key: open «Мои ключи» at the portal.
        What `Session.call` raises.
    """
    key = _ask(session, "/account-back/access-key/current-user", _read_text) or _ask(
        session, "/account-back/access-key", _read_object
    )
    if not key:
        raise AccountUnusable(
            "The account has no access key at the portal: open «Мои ключи» there and make one.", lack=Lack.ACCESS_KEY
        )
    return key


def _ask(session: Session, path: str, read: Callable[[Answer], str]) -> str:
    try:
        return session.call(Call(step="access key", method="GET", path=path, referer=SEARCH_PAGE), read)
    except StepRefused as exc:
        if exc.status != 404:
            raise
        session.transport.pacer.note_success(exc.step)
        return ""


def _read_text(answer: Answer) -> str:
    """A JSON string, bare text, `null` or nothing: all of them were seen, whatever the label."""
    text = answer.text.strip()
    return _check(parse_json(answer) if text.startswith('"') else text)


def _read_object(answer: Answer) -> str:
    value = decode_json(answer)
    return "" if value is None else _check(Node(value, "access key:").find_text("guid"))


def _check(value: object) -> str:
    key = value.strip() if isinstance(value, str) else ""
    if key in ("", "null"):
        return ""
    if not _UUID.fullmatch(key):
        raise UnreadableAnswer("The portal's answer can't be read: the access key is no uuid.")
    return key
