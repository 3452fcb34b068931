"""Reading what names a server: `host:port`, and the URLs `redis://`, `rediss://` and `unix://`.

No message repeats a URL: it may hold a password.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import NamedTuple

from rosq.errors import InvalidSettings

REDIS_PORT = 6379
SENTINEL_PORT = 26379

_TAKEN = "redis://HOST:PORT/DB, rediss:// for TLS, or unix:///PATH?db=DB"


class Address(NamedTuple):
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RedisUrl:
    """The parts of a URL; what it doesn't say is None."""

    host: str | None = None
    port: int | None = None
    unix_socket: str | None = None
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    db: int | None = None
    is_tls: bool = False


def parse_addresses(name: str, text: str, default_port: int) -> tuple[Address, ...]:
    """Read `host:port,host:port`; a port may be left out, an IPv6 address stands in brackets.

    Raises:
        InvalidSettings: One of them isn't an address; the message calls the setting `name`.
    """
    return tuple(_parse_address(name, part.strip(), default_port) for part in text.split(",") if part.strip())


def parse_url(name: str, text: str) -> RedisUrl:
    """Read a URL.

    Raises:
        InvalidSettings: It isn't one of ours; the message calls the setting `name` and never repeats the URL.
    """
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidSettings(f"{name} is no URL of Redis: give {_TAKEN}.") from error
    if parts.scheme not in ("redis", "rediss", "unix") or parts.fragment:
        raise InvalidSettings(f"{name} is no URL of Redis: give {_TAKEN}.")
    username = urllib.parse.unquote(parts.username) if parts.username else None
    password = urllib.parse.unquote(parts.password) if parts.password else None
    query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
    db_text = query.pop("db", None)
    if query:
        raise InvalidSettings(
            f"{name} has an option that rosq doesn't know ({', '.join(sorted(query))}): only db may follow the "
            "question mark; what else there is has REDIS_ variables of its own."
        )
    path = urllib.parse.unquote(parts.path)
    if parts.scheme == "unix":
        if not path or parts.hostname:
            raise InvalidSettings(f"{name} names no socket: give unix:///PATH, with three slashes.")
        return RedisUrl(unix_socket=path, username=username, password=password, db=_parse_db(name, db_text))
    if path.strip("/"):
        if db_text is not None:
            raise InvalidSettings(f"{name} names a database twice: once is enough.")
        db_text = path.strip("/")
    if not parts.hostname:
        raise InvalidSettings(f"{name} names no host: give {_TAKEN}.")
    return RedisUrl(
        host=parts.hostname,
        port=port,
        username=username,
        password=password,
        db=_parse_db(name, db_text),
        is_tls=parts.scheme == "rediss",
    )


def _parse_address(name: str, text: str, default_port: int) -> Address:
    try:
        parts = urllib.parse.urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or "@" in text or "/" in text or port == 0:
        raise InvalidSettings(f"{name} has {text.rpartition('@')[2]!r} in it: give HOST:PORT, separated by commas.")
    return Address(host, port or default_port)


def _parse_db(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidSettings(f"{name} names {text!r} as the database: give its number.")
    return int(text)
