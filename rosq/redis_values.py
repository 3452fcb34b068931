"""Single values that say where Redis is: how each is read, and what it may be.

No message repeats what may hold a secret: neither a URL nor a part of one, since one with an unusual character in its
password falls apart into other parts than were meant; nor anything with the signs of a URL, a user or a key in it.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import os
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rosq.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Callable

REDIS_PORT = 6379
SENTINEL_PORT = 26379

_TAKEN = "redis://HOST:PORT/DB, rediss:// for TLS, or unix:///PATH?db=DB"
_YES = ("1", "yes", "true", "on")
_NO = ("0", "no", "false", "off")
#: Bytes that the system takes as the path of a socket, the shortest that is known (macOS).
_SOCKET_PATH_MAX = 103
#: Letters of a wrong value that are repeated, and what is in none that is.
_REPEATED_MAX = 40
_SECRET_MARKS = ("@", "://", "-----")


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


def require(is_right: bool, sentence: str) -> None:
    """Go on where it is right.

    Raises:
        InvalidSettings: It isn't; the message is the sentence.
    """
    if not is_right:
        raise InvalidSettings(sentence)


# -- reading what a variable says --------------------------------------------------------------------------------------


def read_number(name: str, text: str | None, default: int) -> int:
    """Read a whole number; `default` where nothing is given."""
    if text is None:
        return default
    # Ten digits are more than any of ours may have.
    require(text.isascii() and text.isdigit() and len(text) <= 10, f"{_tell(name, text)}: give a whole number.")
    return int(text)


def read_switch(name: str, text: str | None, default: bool) -> bool:
    """Read yes or no; `default` where nothing is given."""
    if text is None:
        return default
    require(text.lower() in (*_YES, *_NO), f"{_tell(name, text)}: give 1 or 0.")
    return text.lower() in _YES


def read_addresses(name: str, text: str | None, default_port: int) -> tuple[Address, ...]:
    """Read `host:port,host:port`; a port may be left out, an IPv6 address stands in brackets."""
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    require(bool(parts) or text is None, f"{name} is given and names no server: give HOST:PORT, separated by commas.")
    return tuple(_read_address(name, part, at, default_port) for at, part in enumerate(parts, 1))


def read_url(name: str, text: str | None) -> RedisUrl:
    """Read a URL."""
    if text is None:
        return RedisUrl()
    try:
        return _read_url(name, text)
    except ValueError as error:
        if isinstance(error, InvalidSettings):
            raise
        raise InvalidSettings(f"{name} is no URL of Redis: give {_TAKEN}.") from error


def _read_url(name: str, text: str) -> RedisUrl:
    parts = urllib.parse.urlsplit(text)
    require(
        parts.scheme in ("redis", "rediss", "unix") and not parts.fragment,
        f"{name} is no URL of Redis: give {_TAKEN}.",
    )
    query = urllib.parse.parse_qs(parts.query, keep_blank_values=True, errors="strict")
    options = query.pop("db", [])
    require(
        not query,
        f"{name} has an option that rosq doesn't know: only db may follow the question mark; what else there is has "
        "REDIS_ variables of its own.",
    )
    path = _unquote(parts.path)
    is_socket = parts.scheme == "unix"
    if is_socket:
        require(bool(path) and not parts.hostname, f"{name} names no socket: give unix:///PATH, with three slashes.")
    else:
        options += [path.strip("/")] if path.strip("/") else []
        require(bool(parts.hostname), f"{name} names no host: give {_TAKEN}.")
    require(len(options) <= 1, f"{name} names a database twice: once is enough.")
    require(
        all(each.isascii() and each.isdigit() and len(each) <= 10 for each in options),
        f"{name} names a database that isn't a number: what follows the host and its slash, or ?db=, must be one.",
    )
    return RedisUrl(
        host=None if is_socket else parts.hostname,
        port=None if is_socket else parts.port,
        unix_socket=path if is_socket else None,
        username=_unquote(parts.username) if parts.username else None,
        password=_unquote(parts.password) if parts.password else None,
        db=int(options[0]) if options else None,
        is_tls=parts.scheme == "rediss",
    )


def _unquote(text: str) -> str:
    # Else what isn't UTF-8 would become another password.
    return urllib.parse.unquote(text, errors="strict")


def _read_address(name: str, text: str, at: int, default_port: int) -> Address:
    try:
        parts = urllib.parse.urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    # More isn't repeated: a password may have a comma in it.
    sentence = f"{name}: number {at} of what it has isn't HOST:PORT; give them separated by commas."
    require(bool(host) and not any(mark in text for mark in "@/?#") and port != 0, sentence)
    return Address(host, port or default_port)


# -- what a value may be -----------------------------------------------------------------------------------------------


def _check_host(name: str, host: str) -> None:
    require(bool(host), f"{name} is empty: name the host on which Redis runs.")
    require("://" not in host, f"{name} has a URL: give that in REDIS_URL, and the host alone here.")
    require("@" not in host, f"{name} has a user or password in it: give them in REDIS_USERNAME and REDIS_PASSWORD.")
    if _is_address(host):
        return
    require(":" not in host, f"{name} has more than a host in it: give the host alone, and its port in REDIS_PORT.")
    try:
        host.encode("idna")
        is_name = not any(letter.isspace() or letter in "/\\?#,;[]" or not letter.isprintable() for letter in host)
    except UnicodeError:
        is_name = False
    require(is_name, f"{name} can't be the name of a host: give that of the machine on which Redis runs.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _check_port(name: str, port: int) -> None:
    require(0 < port < 65536, f"{name} is {port}: give a port from 1 to 65535.")


def _check_db(name: str, db: int) -> None:
    require(0 <= db < 2**31, f"{name} is {db}: give 0 or more, as far as the server has databases.")


def _check_text(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidSettings(f"{name} has bytes in it that aren't UTF-8: no server takes them.") from error


def _check_word(name: str, text: str) -> None:
    _check_text(name, text)
    require(
        all(letter.isprintable() and not letter.isspace() for letter in text),
        f"{name} has a blank or something that can't be printed in it: leave that out.",
    )


def _check_master(name: str, text: str) -> None:
    _check_word(name, text)
    is_name = "@" not in text and "://" not in text
    require(is_name, f"{name} has a URL or a user in it: give what the sentinels call the master.")


def _check_socket(name: str, path: str) -> None:
    _check_text(name, path)
    require("://" not in path, f"{name} has a URL: give that in REDIS_URL, and the path alone here.")
    is_path = path.startswith("/") and path.isprintable()
    require(is_path, f"{name} isn't the path of a socket: give the whole of it, from the slash on.")
    size = len(os.fsencode(path))
    require(size <= _SOCKET_PATH_MAX, f"{name} has {size} bytes: a socket's path has {_SOCKET_PATH_MAX} at most.")


def _check_file(name: str, path: str) -> None:
    is_content = "-----" in path or "\n" in path
    require(not is_content, f"{name} has the content of a file: write that to a file, and name it.")
    try:
        is_there = Path(path).is_file()
    except (OSError, ValueError):
        is_there = False
    require(is_there, f"{_tell(name, path)}: there is no such file.")
    require(os.access(path, os.R_OK), f"{_tell(name, path)}: this user may not read that file.")


def _check_addresses(name: str, addresses: tuple[Address, ...]) -> None:
    for address in addresses:
        _check_host(name, address.host)
        _check_port(name, address.port)


def _check_timeout(name: str, seconds: float) -> None:
    is_right = math.isfinite(seconds) and 0 < seconds <= 86_400
    require(is_right, f"{name} is {seconds}: give more than 0 s, and a day at most.")


#: Every setting: its variable, or its own name where there is none; its field; and what it may be.
CHECKS: tuple[tuple[str, str, Callable[[str, Any], None]], ...] = (
    ("REDIS_HOST", "host", _check_host),
    ("REDIS_PORT", "port", _check_port),
    ("REDIS_DB", "db", _check_db),
    ("REDIS_USERNAME", "username", _check_word),
    ("REDIS_PASSWORD", "password", _check_text),
    ("REDIS_UNIX_SOCKET", "unix_socket", _check_socket),
    ("REDIS_SENTINELS", "sentinels", _check_addresses),
    ("REDIS_SENTINEL_MASTER", "sentinel_master", _check_master),
    ("REDIS_SENTINEL_USERNAME", "sentinel_username", _check_word),
    ("REDIS_SENTINEL_PASSWORD", "sentinel_password", _check_text),
    ("REDIS_CLUSTER_NODES", "cluster_nodes", _check_addresses),
    ("REDIS_TLS_CA_FILE", "tls_ca_file", _check_file),
    ("REDIS_TLS_CERT_FILE", "tls_cert_file", _check_file),
    ("REDIS_TLS_KEY_FILE", "tls_key_file", _check_file),
    ("connect_timeout_s", "connect_timeout_s", _check_timeout),
    ("answer_timeout_s", "answer_timeout_s", _check_timeout),
)


def _tell(name: str, text: str) -> str:
    """Say what a setting is, unless that may be a secret at the wrong place."""
    is_harmless = len(text) <= _REPEATED_MAX and text.isprintable() and not any(mark in text for mark in _SECRET_MARKS)
    return f"{name} is {text!r}" if is_harmless else f"{name} is something else"
