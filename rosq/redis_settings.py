"""Where Redis is, and how to get in: one server by host, socket or URL, a Sentinel's master, or a Cluster."""

from __future__ import annotations

import dataclasses
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rosq.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


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


_YES = ("1", "yes", "true", "on")
_NO = ("0", "no", "false", "off")
#: Variables that say where Redis is, a group for each way: of two groups only one may be used.
WAYS = (
    ("REDIS_URL",),
    ("REDIS_HOST", "REDIS_PORT"),
    ("REDIS_UNIX_SOCKET",),
    ("REDIS_SENTINELS", "REDIS_SENTINEL_MASTER"),
    ("REDIS_CLUSTER_NODES",),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Where Redis is, and how long to wait for it.

    `host` and `port` name it, unless one of `unix_socket`, `sentinels` or `cluster_nodes` is given.
    """

    host: str = "127.0.0.1"
    port: int = REDIS_PORT
    password: str | None = dataclasses.field(default=None, repr=False)
    db: int = 0
    username: str | None = None
    #: Path of a unix socket; an alternative to host and port.
    unix_socket: str | None = None
    #: Sentinels, of which any is asked for the master at each connect; an alternative to host and port.
    sentinels: tuple[Address, ...] = ()
    #: What the sentinels call the master.
    sentinel_master: str = ""
    sentinel_username: str | None = None
    sentinel_password: str | None = dataclasses.field(default=None, repr=False)
    #: Nodes of a Cluster, of which any is asked where a queue lies; an alternative to host and port.
    cluster_nodes: tuple[Address, ...] = ()
    #: Whether to speak TLS, with the sentinels too. The server's certificate is always checked.
    is_tls: bool = False
    #: PEM file of the authorities that may have signed the server's certificate; None means the system's.
    tls_ca_file: str | None = None
    #: PEM files of the client's own certificate and key, where the server asks for one.
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    #: Whether the certificate must be made out to the name by which the server is addressed: that is, for a master or a
    #: node, what sentinels or other nodes tell.
    is_tls_name_checked: bool = True
    #: Seconds until an attempt to connect counts as failed.
    connect_timeout_s: float = 5.0
    #: Seconds without an answer after which a connection counts as dead.
    answer_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        _check(bool(self.host), "REDIS_HOST is empty: name the host on which Redis runs.")
        _check(0 < self.port < 65536, f"REDIS_PORT is {self.port}: give a port from 1 to 65535.")
        _check(self.db >= 0, f"REDIS_DB is {self.db}: give 0 or more.")
        _check(self.connect_timeout_s > 0 and self.answer_timeout_s > 0, "Timeouts of Redis must be above 0 s.")
        ways = sum(map(bool, (self.unix_socket, self.sentinels, self.cluster_nodes)))
        _check(
            ways <= 1, "Redis is named in several ways: give a unix socket, sentinels or cluster nodes, one of them."
        )
        _check(
            bool(self.sentinels) == bool(self.sentinel_master),
            "REDIS_SENTINELS and REDIS_SENTINEL_MASTER belong together: give both.",
        )
        _check(
            not (self.cluster_nodes and self.db), f"REDIS_DB is {self.db}: a Cluster has database 0 only, give that."
        )
        self._check_tls()

    def _check_tls(self) -> None:
        _check(not (self.unix_socket and self.is_tls), "A unix socket speaks no TLS: give one of the two.")
        files = (
            ("REDIS_TLS_CA_FILE", self.tls_ca_file),
            ("REDIS_TLS_CERT_FILE", self.tls_cert_file),
            ("REDIS_TLS_KEY_FILE", self.tls_key_file),
        )
        given = [(name, path) for name, path in files if path]
        for name, path in given:
            _check(self.is_tls, f"{name} is given, but no TLS is asked for: set REDIS_TLS=1 or use a rediss:// URL.")
            _check(Path(path).is_file(), f"{name} is {path}: there is no such file.")
        _check(
            bool(self.tls_cert_file) == bool(self.tls_key_file),
            "REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE belong together: give both.",
        )

    @property
    def address(self) -> str:
        """Where Redis is, for messages; never a password."""
        if self.unix_socket:
            return f"{self.unix_socket}/{self.db}"
        if self.sentinels:
            return f"master {self.sentinel_master} of the sentinels {_join(self.sentinels)}/{self.db}"
        if self.cluster_nodes:
            return f"the cluster of {_join(self.cluster_nodes)}"
        return f"{Address(self.host, self.port)}/{self.db}"

    def with_timeouts_below(self, longest_s: float) -> RedisSettings:
        """Return the same server with timeouts of this many seconds at most."""
        return dataclasses.replace(
            self,
            connect_timeout_s=min(self.connect_timeout_s, longest_s),
            answer_timeout_s=min(self.answer_timeout_s, longest_s),
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> RedisSettings:
        """Read the `REDIS_` variables (`docs/servers.md`); what is unset or empty keeps its default.

        A URL may leave user, password and database to REDIS_USERNAME, REDIS_PASSWORD and REDIS_DB.

        Raises:
            InvalidSettings: One of them can't be used, or two contradict each other; the message names them.
        """

        def text(name: str) -> str | None:
            # A password may begin or end with a blank; nothing else does.
            found = environ.get(name) or None
            return found if found is None or name.endswith("PASSWORD") else found.strip() or None

        used = [next(name for name in way if text(name)) for way in WAYS if any(text(name) for name in way)]
        if len(used) > 1:
            raise InvalidSettings(f"{used[0]} and {used[1]} both say where Redis is: give one of them.")
        url = parse_url("REDIS_URL", found) if (found := text("REDIS_URL")) else RedisUrl()
        for name, part in (("REDIS_USERNAME", url.username), ("REDIS_PASSWORD", url.password), ("REDIS_DB", url.db)):
            _check(part is None or text(name) is None, f"REDIS_URL has what {name} says too: give one of them.")
        is_tls = _read_switch("REDIS_TLS", text("REDIS_TLS"), url.is_tls)
        _check(is_tls or not url.is_tls, "REDIS_URL asks for TLS and REDIS_TLS forbids it: change one of them.")
        return cls(
            host=url.host or text("REDIS_HOST") or "127.0.0.1",
            port=url.port if url.port is not None else _read_number("REDIS_PORT", text("REDIS_PORT"), REDIS_PORT),
            username=url.username or text("REDIS_USERNAME"),
            password=url.password or text("REDIS_PASSWORD"),
            db=url.db if url.db is not None else _read_number("REDIS_DB", text("REDIS_DB"), 0),
            unix_socket=url.unix_socket or text("REDIS_UNIX_SOCKET"),
            sentinels=parse_addresses("REDIS_SENTINELS", text("REDIS_SENTINELS") or "", SENTINEL_PORT),
            sentinel_master=text("REDIS_SENTINEL_MASTER") or "",
            sentinel_username=text("REDIS_SENTINEL_USERNAME"),
            sentinel_password=text("REDIS_SENTINEL_PASSWORD"),
            cluster_nodes=parse_addresses("REDIS_CLUSTER_NODES", text("REDIS_CLUSTER_NODES") or "", REDIS_PORT),
            is_tls=is_tls,
            tls_ca_file=text("REDIS_TLS_CA_FILE"),
            tls_cert_file=text("REDIS_TLS_CERT_FILE"),
            tls_key_file=text("REDIS_TLS_KEY_FILE"),
            is_tls_name_checked=_read_switch("REDIS_TLS_CHECK_NAME", text("REDIS_TLS_CHECK_NAME"), True),
        )


def _check(is_right: bool, sentence: str) -> None:
    if not is_right:
        raise InvalidSettings(sentence)


def _read_number(name: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    _check(text.isascii() and text.isdigit(), f"{name} is {text!r}: give a whole number.")
    return int(text)


def _read_switch(name: str, text: str | None, default: bool) -> bool:
    if text is None:
        return default
    _check(text.lower() in (*_YES, *_NO), f"{name} is {text!r}: give 1 or 0.")
    return text.lower() in _YES


def _join(addresses: tuple[Address, ...]) -> str:
    return ", ".join(map(str, addresses))
