"""A file with a session on its way to `accounts import-session`: the portal's cookies, and what a person is told."""

from __future__ import annotations

import time
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import urlsplit

from orders_service.accounts import session_file
from orders_service.commands.context import Failure, WrongSetting
from orders_service.commands.output import say
from orders_service.v1 import rosreestr_users_pb2 as v1

if TYPE_CHECKING:
    from orders_service.accounts.session_file import SessionFile

#: The cookie on which the portal's authentication hangs.
_AUTH_COOKIE: Final = "AUTH_TOKEN"


def read_session(file: IO[bytes], portal_url: str) -> v1.PortalSession:
    """Return the portal's cookies of the file, and say what was left out of it. No value is ever said."""
    host = _host_of(portal_url)
    try:
        # One byte more than may be tells that it is too large, whatever is behind it: a pipe has no size.
        content = file.read(session_file.MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise Failure(f"{file.name} can't be read: {exc.strerror}.") from exc
    try:
        read = session_file.read_session(content, host, now_s=time.time())
    except session_file.SessionUnreadable as exc:
        raise Failure(f"{file.name} gives no session: {exc}") from exc
    _tell(read)
    cookies = {cookie.name: cookie.value for cookie in read.cookies}
    if len(cookies) == len(read.cookies) and all(cookie.path == "/" for cookie in read.cookies):
        return v1.PortalSession(cookies=cookies)
    jar = (v1.PortalCookie(name=cookie.name, value=cookie.value, path=cookie.path) for cookie in read.cookies)
    return v1.PortalSession(jar=jar)


def _host_of(portal_url: str) -> str:
    try:
        host = urlsplit(portal_url).hostname
    except ValueError:
        host = None
    if not host:
        raise WrongSetting("--portal-url must be an address like https://lk.rosreestr.ru.")
    return host


def _tell(read: SessionFile) -> None:
    if read.expired:
        say(f"Left out, since they have expired: {', '.join(read.expired)}", err=True)
    if read.others:
        say(f"Left out, since they are of other sites: {read.others}", err=True)
    if read.unusable:
        say(f"Left out, since no request can carry them: {read.unusable}", err=True)
    if read.doubtful:
        names = ", ".join(read.doubtful)
        say(
            f"Twice, without a path, so the first was taken: {names}. The export of an extension tells them apart.",
            err=True,
        )
    if read.cookies and all(cookie.name != _AUTH_COOKIE for cookie in read.cookies):
        say("There is no AUTH_TOKEN among them: was the browser logged in to the portal?", err=True)
