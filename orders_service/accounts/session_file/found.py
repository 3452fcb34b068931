"""The cookies that stand in a file, and which of them are the portal's and can still be used."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.accounts.session import COOKIE_NAME, COOKIE_PATH, COOKIE_VALUE, MAX_COOKIES, Cookie

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds since 1970 in the year 5138; what is above is milliseconds.
_MOST_SECONDS: Final = 1e11


class SessionUnreadable(errors.OrdersServiceError):
    """The file gives no session. Says what was found in it and what to do; never a value."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A cookie as it stands in the file.

    Attributes:
        domain: Empty: not said, so the one that the file is about.
        is_host_only: Whether it is for this very host, not for those below it.
        path: None: not said, as in a request's header.
        expires_at_s: Seconds since 1970; None: with the browser's session.
    """

    name: str
    value: str = dataclasses.field(repr=False)
    domain: str = ""
    is_host_only: bool = False
    path: str | None = None
    expires_at_s: float | None = None

    def is_for(self, host: str) -> bool:
        """Whether a browser sends it to this host."""
        domain = self.domain.strip().lstrip(".").rstrip(".").lower()
        return not domain or domain == host or (not self.is_host_only and host.endswith(f".{domain}"))

    def is_over(self, now_s: float) -> bool:
        """Whether its time is over."""
        moment = self.expires_at_s
        return moment is not None and (moment / 1000 if moment > _MOST_SECONDS else moment) <= now_s


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionFile:
    """What a file gives.

    Attributes:
        cookies: The portal's. None at all only where the file says so: `{}`.
        expired: Names of those that were left out because their time is over.
        others: How many are of other sites.
        unusable: How many no request can carry.
        doubtful: Names that stood twice with nothing that tells for which path; the first of each is in `cookies`.
    """

    cookies: tuple[Cookie, ...]
    expired: tuple[str, ...] = ()
    others: int = 0
    unusable: int = 0
    doubtful: tuple[str, ...] = ()


def sort(found: Sequence[Found], host: str, *, now_s: float) -> SessionFile:
    """Keep the portal's cookies that can be used, one for each name and path, as a browser's jar has them.

    Raises:
        SessionUnreadable: Nothing is left, or too much.
    """
    if not found:
        raise SessionUnreadable("there are no cookies in it: export them while you are logged in to the portal.")
    own = [one for one in found if one.is_for(host)]
    if not own:
        raise SessionUnreadable(
            f"it has no cookie of {host}, only of other sites ({len(found)}): export them on the portal's page."
        )
    expired = [one for one in own if one.is_over(now_s)]
    alive = [one for one in own if not one.is_over(now_s)]
    if not alive:
        raise SessionUnreadable(
            f"all its cookies of {host} have expired ({len(own)}): log in to the portal again, and export them then."
        )
    usable = [one for one in alive if COOKIE_NAME.fullmatch(one.name) and COOKIE_VALUE.fullmatch(one.value)]
    if not usable:
        raise SessionUnreadable(
            f"no request can carry its cookies of {host} ({len(alive)}): they are damaged, export them again."
        )
    # Of one name and path, that of the host itself goes before one of the domain above it.
    usable.sort(key=lambda one: -len(one.domain.strip(". ")))
    kept: dict[tuple[str, str], Found] = {}
    doubtful = []
    for one in usable:
        path = one.path if one.path and COOKIE_PATH.fullmatch(one.path) else "/"
        first = kept.setdefault((one.name, path), one)
        if one.path is None and first.value != one.value:
            doubtful.append(one.name)
    if len(kept) > MAX_COOKIES:
        raise SessionUnreadable(f"it has {len(kept)} cookies of {host}, and up to {MAX_COOKIES} are taken.")
    return SessionFile(
        cookies=tuple(Cookie(name=name, value=one.value, path=path) for (name, path), one in kept.items()),
        expired=tuple(sorted({one.name for one in expired if COOKIE_NAME.fullmatch(one.name)})),
        others=len(found) - len(own),
        unusable=len(alive) - len(usable),
        doubtful=tuple(sorted(set(doubtful))),
    )
