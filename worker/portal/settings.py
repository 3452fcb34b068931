"""How the portal is reached and how politely: one value, built by the CLI and passed down."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from worker.portal.errors import PortalSettingsInvalid
from worker.portal.hours import Hours, Window

if TYPE_CHECKING:
    from pathlib import Path

#: The portal answers a browser; it was only ever seen called as one.
DEFAULT_USER_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

#: Less would do for no order.
MIN_DAILY_LIMIT: Final = 30

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSettings:
    """Where the portal is, what may be trusted, and how long to wait for it.

    Raises:
        PortalSettingsInvalid: When built: names the field, what is wrong and what to do.
    """

    #: Scheme and host, nothing behind: `https://lk.rosreestr.ru`.
    url: str
    #: PEM file with the roots that sign the portal's certificate, beside those that are trusted anyway.
    ca_bundle: Path | None = None
    #: From start to start of any two calls of the account, the login's own apart; also before the first one.
    min_interval_s: float = 5.0
    #: Drawn anew for each call, from 0 to this, on top of the interval; never more than the interval itself.
    jitter_s: float = 3.0
    #: Calls a day of Moscow, the login's own apart; 0: as many as the interval allows.
    daily_limit: int = 450
    #: Hours of Moscow in which nothing is begun; a paid call that was begun before is finished.
    closed: tuple[Window, ...] = ()
    #: A longer pause than this isn't slept through: it is raised as `RateLimited`, so that the order can be put down.
    patience_s: float = 30.0
    #: For the TCP and TLS connection.
    connect_timeout_s: float = 10.0
    #: For each piece of an answer, and for the whole of a JSON answer once it began.
    read_timeout_s: float = 60.0
    #: For the whole answer to the paid call.
    finish_timeout_s: float = 120.0
    #: An opened connection that waited longer than this for the gate isn't used for the paid call.
    finish_connection_age_s: float = 60.0
    #: For a whole download.
    download_timeout_s: float = 600.0
    #: After a page of the web firewall no call goes out for this long, up to twice as long.
    blocked_pause_s: float = 1800.0
    #: Rows asked for on one page of the list; the portal may give fewer.
    list_page_size: int = 50
    #: A list of more pages than this isn't read to its end, and says so.
    list_max_pages: int = 2000
    #: Larger JSON answers are refused unread.
    max_answer_bytes: int = 16 * _MIB
    #: Larger papers are refused.
    max_download_bytes: int = 256 * _MIB
    #: The subscription's package: it names the line among the balances and what `finish` orders.
    package_type: str = "egrn_with_docs_1"
    user_agent: str = DEFAULT_USER_AGENT

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", self.url.strip().rstrip("/"))
        self._check_url()
        for name in ("min_interval_s", "jitter_s", "patience_s", "blocked_pause_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise PortalSettingsInvalid(f"{name} must be 0 or more seconds, not {getattr(self, name)!r}.")
        Hours(self.closed)
        if self.daily_limit and self.daily_limit < MIN_DAILY_LIMIT:
            raise PortalSettingsInvalid(
                f"daily_limit must be 0 (none), or {MIN_DAILY_LIMIT} or more, which is what a few orders take; not"
                f" {self.daily_limit!r}."
            )
        for name in (
            "connect_timeout_s",
            "read_timeout_s",
            "finish_timeout_s",
            "finish_connection_age_s",
            "download_timeout_s",
            "list_page_size",
            "list_max_pages",
            "max_answer_bytes",
            "max_download_bytes",
        ):
            if not 0 < getattr(self, name) < float("inf"):
                raise PortalSettingsInvalid(f"{name} must be greater than 0, not {getattr(self, name)!r}.")
        for name in ("package_type", "user_agent"):
            value = getattr(self, name)
            if not value or not value.isascii() or not value.isprintable():
                raise PortalSettingsInvalid(f"{name} must be printable ASCII, not {value!r}.")

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            is_complete = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            (parts.hostname or "").encode("idna")
        except ValueError as exc:
            raise PortalSettingsInvalid(f"The portal's URL {self.url!r} can't be read: {exc}.") from exc
        if not is_complete or not self.url.isascii() or any(c.isspace() for c in self.url):
            raise PortalSettingsInvalid(
                f"The portal's URL must look like https://lk.rosreestr.ru or http://127.0.0.1:8080, not {self.url!r}."
            )
        if parts.path or parts.query or parts.fragment or parts.username is not None:
            raise PortalSettingsInvalid(
                f"The portal's URL is scheme and host only: leave out what stands around them in {self.url!r}."
            )

    @property
    def is_loopback(self) -> bool:
        """Whether the portal is on this very machine: then it is a simulator, and shorter times are allowed."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def is_encrypted(self) -> bool:
        """Whether passwords and cookies travel encrypted."""
        return self.url.startswith("https://")

    def make_ssl_context(self) -> ssl.SSLContext:
        """Return the trust for the portal and its login: the usual roots and the bundle. Verification is never off.

        Raises:
            PortalSettingsInvalid: The bundle can't be read or holds no certificate.
        """
        # trust_env off: the paid call's own connection knows no proxy either, and both must take the same way.
        context = httpx.create_ssl_context(trust_env=False)
        if self.ca_bundle is not None:
            try:
                context.load_verify_locations(cafile=self.ca_bundle)
            except (OSError, ssl.SSLError) as exc:
                raise PortalSettingsInvalid(
                    f"The CA bundle {str(self.ca_bundle)!r} can't be used ({exc}): give a PEM file with the root and"
                    " issuing certificates of the portal."
                ) from exc
        return context
