"""What an account logs in with."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worker.portal.errors import PortalSettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TOTP_STEP_S: Final = 30
_TOTP_DIGITS: Final = 6

# What RFC 6265 allows; anything else would break the header that it is put into.
_COOKIE_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_PATH: Final = re.compile(r"/[\x21-\x3a\x3c-\x7e]*")
_COOKIE_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e\x22\x2c]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedCookie:
    """A cookie from a browser. One name may stand twice, with different paths."""

    name: str
    value: str = field(repr=False)
    path: str = "/"


def cookies_of(by_name: Mapping[str, str]) -> tuple[ImportedCookie, ...]:
    """Return cookies that are for all of the portal."""
    return tuple(ImportedCookie(name=name, value=value) for name, value in by_name.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A password, or a session that an operator imported from a browser, or both: then the session is tried first.

    Nothing of it shows in `repr`.

    Raises:
        PortalSettingsInvalid: When built: neither is given, or a cookie or the one-time secret can't be used.
    """

    #: Phone, e-mail or СНИЛС: the account's username unless another login was set.
    login: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    #: As imported.
    cookies: Sequence[ImportedCookie] = field(default=(), repr=False)
    #: Base32 secret of the second factor; without one, an account that asks for a code needs a person.
    totp_secret: str | None = field(default=None, repr=False)
    #: Which role to act in where the person has several: its oid or its name.
    role: str | None = None

    def __post_init__(self) -> None:
        if not self.password and not self.cookies:
            raise PortalSettingsInvalid("The account has neither a password nor an imported session: give it one.")
        for cookie in self.cookies:
            if not (
                _COOKIE_NAME.fullmatch(cookie.name)
                and _COOKIE_VALUE.fullmatch(cookie.value)
                and _COOKIE_PATH.fullmatch(cookie.path)
            ):
                raise PortalSettingsInvalid(
                    f"The imported cookie {cookie.name!r} isn't a valid one: export the session again."
                )
        if self.totp_secret is not None:
            _decode_secret(self.totp_secret)


def make_totp(secret: str, *, at_s: float) -> str:
    """Return the one-time code of a second: RFC 6238 with SHA-1, 6 digits, 30 s.

    Args:
        secret: Base32, blanks and lower case allowed.
        at_s: Seconds since 1970 by the wall clock, which must be right.
    """
    counter = int(at_s // _TOTP_STEP_S).to_bytes(8, "big")
    digest = hmac.new(_decode_secret(secret), counter, hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**_TOTP_DIGITS:0{_TOTP_DIGITS}d}"


def _decode_secret(secret: str) -> bytes:
    compact = "".join(secret.split()).rstrip("=").upper()
    try:
        key = base64.b32decode(compact + "=" * (-len(compact) % 8))
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise PortalSettingsInvalid("The account's one-time secret isn't Base32: copy it again from the portal.")
    return key
