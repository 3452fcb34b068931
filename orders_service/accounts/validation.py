"""The rules of what an operator may set of an account, checked before anything is stored."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.accounts.session import COOKIE_NAME, COOKIE_PATH, COOKIE_VALUE, MAX_COOKIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orders_service.accounts.session import Cookie

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CATEGORY: Final = re.compile(r"[0-9]{12}")
_MAX_TEXT: Final = 2000
_MAX_SECRET: Final = 1000
_MAX_ROLE: Final = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What to set; None leaves a field as it is, an empty text takes it away, and so does a session without cookies."""

    password: str | None = dataclasses.field(default=None, repr=False)
    totp_secret: str | None = dataclasses.field(default=None, repr=False)
    session: Sequence[Cookie] | None = dataclasses.field(default=None, repr=False)
    gu_login: str | None = None
    declarant_category: str | None = None
    role: str | None = None
    comment: str | None = None


def is_possible(name: str) -> bool:
    """Whether it can be an account's name."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Make sure that it can be an account's name.

    Raises:
        InvalidInput: It can't.
    """
    if not is_possible(name):
        rule = "must be 1 to 64 Latin letters, digits, dots, dashes and underscores, like rosreestr_user_1."
        raise errors.InvalidInput.of("account", rule)


def check_change(change: AccountChange) -> None:
    """Make sure that every field that is given keeps its rule.

    Raises:
        InvalidInput: Names each field that doesn't; never repeats a secret.
    """
    violations = []
    for field, text, limit in (
        ("password", change.password, _MAX_SECRET),
        ("totp_secret", change.totp_secret, _MAX_SECRET),
        ("gu_login", change.gu_login, _MAX_TEXT),
        ("role", change.role, _MAX_ROLE),
        ("comment", change.comment, _MAX_TEXT),
    ):
        if text is not None and len(text) > limit:
            violations.append((field, f"may have up to {limit} characters, not {len(text)}."))
        if text is not None and "\0" in text:
            violations.append((field, "may not hold a NUL character."))
    if change.declarant_category and not _CATEGORY.fullmatch(change.declarant_category):
        violations.append(("declarant_category", "must be a code of 12 digits, like 357039000000."))
    if change.totp_secret and not _is_base32(change.totp_secret):
        violations.append(("totp_secret", "must be Base32, as the portal showed it when one-time codes were set up."))
    violations += _broken_cookies(change.session or ())
    if violations:
        raise errors.InvalidInput([errors.Violation(field=field, rule=rule) for field, rule in violations])


def _is_base32(secret: str) -> bool:
    compact = "".join(secret.split()).rstrip("=").upper()
    try:
        return bool(base64.b32decode(compact + "=" * (-len(compact) % 8)))
    except (binascii.Error, ValueError):
        return False


def _broken_cookies(cookies: Sequence[Cookie]) -> list[tuple[str, str]]:
    if len(cookies) > MAX_COOKIES:
        return [("session.cookies", f"may be up to {MAX_COOKIES}, not {len(cookies)}.")]
    broken = []
    seen = set()
    for position, cookie in enumerate(cookies, start=1):
        if not COOKIE_NAME.fullmatch(cookie.name):
            broken.append(("session.cookies", f"number {position} has a name that no cookie can have."))
            continue
        if not COOKIE_VALUE.fullmatch(cookie.value):
            broken.append((f"session.cookies[{cookie.name!r}]", "has a value that no cookie can have."))
        if not COOKIE_PATH.fullmatch(cookie.path):
            broken.append((f"session.cookies[{cookie.name!r}]", "has a path that no cookie can have."))
        elif (cookie.name, cookie.path) in seen:
            broken.append((f"session.cookies[{cookie.name!r}]", "stands twice with the same path."))
        seen.add((cookie.name, cookie.path))
    return broken
