"""Where Redis is, and how to get in: one server by host, socket or URL, a Sentinel's master, or a Cluster."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rosq.redis_values import (
    CHECKS,
    REDIS_PORT,
    SENTINEL_PORT,
    Address,
    read_addresses,
    read_number,
    read_switch,
    read_url,
    require,
)
from rosq.secret_files import SecretFiles
from rosq.service_links import find_service_link

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What may also be given as a file, `REDIS_PASSWORD_FILE` and so on.
SECRETS = ("REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD", "REDIS_URL")
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
        for name, field, check in CHECKS:
            value = getattr(self, field)
            if value is not None:
                check(name, value)
        ways = sum(map(bool, (self.unix_socket, self.sentinels, self.cluster_nodes)))
        require(
            ways <= 1, "Redis is named in several ways: give a unix socket, sentinels or cluster nodes, one of them."
        )
        require(
            bool(self.sentinels) == bool(self.sentinel_master),
            "REDIS_SENTINELS and REDIS_SENTINEL_MASTER belong together: give both.",
        )
        require(
            not (self.cluster_nodes and self.db), f"REDIS_DB is {self.db}: a Cluster has database 0 only, give that."
        )
        require(not (self.unix_socket and self.is_tls), "A unix socket speaks no TLS: give one of the two.")
        files = ("tls_ca_file", "tls_cert_file", "tls_key_file")
        for field in files:
            require(
                self.is_tls or not getattr(self, field),
                f"REDIS_{field.upper()} is given, but no TLS is asked for: set REDIS_TLS=1 or use a rediss:// URL.",
            )
        require(
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

        A URL may leave user, password and database to REDIS_USERNAME, REDIS_PASSWORD and REDIS_DB. REDIS_URL and the
        passwords may lie in files, which REDIS_PASSWORD_FILE and its like name. A REDIS_PORT that Kubernetes set for a
        Service named `redis` is that Service's address, where nothing else says where Redis is.

        Raises:
            InvalidSettings: One of them can't be used, or two contradict each other; the message names them.
        """
        environ = SecretFiles(environ, SECRETS)

        def text(name: str) -> str | None:
            # A password may begin or end with a blank; nothing else does.
            found = environ.get(name) or None
            if name == "REDIS_PORT" and is_link:
                return str(link.port) if link is not None else None
            return found if found is None or name.endswith("PASSWORD") else found.strip() or None

        link = find_service_link(environ.get("REDIS_PORT"))
        is_link = link is not None
        if is_link and any(text(name) for way in WAYS for name in way if name not in ("REDIS_HOST", "REDIS_PORT")):
            # Nobody said it: what somebody said is what counts.
            link = None
        used = [next(name for name in way if text(name)) for way in WAYS if any(text(name) for name in way)]
        require(len(used) <= 1, f"{' and '.join(used[:2])} both say where Redis is: give one of them.")
        url = read_url("REDIS_URL", text("REDIS_URL"))
        for name, part in (("REDIS_USERNAME", url.username), ("REDIS_PASSWORD", url.password), ("REDIS_DB", url.db)):
            require(part is None or text(name) is None, f"REDIS_URL has what {name} says too: give one of them.")
        is_tls = read_switch("REDIS_TLS", text("REDIS_TLS"), url.is_tls)
        require(is_tls or not url.is_tls, "REDIS_URL asks for TLS and REDIS_TLS forbids it: change one of them.")
        return cls(
            host=url.host or text("REDIS_HOST") or (link.host if link is not None else "127.0.0.1"),
            port=url.port if url.port is not None else read_number("REDIS_PORT", text("REDIS_PORT"), REDIS_PORT),
            username=url.username or text("REDIS_USERNAME"),
            password=url.password or text("REDIS_PASSWORD"),
            db=url.db if url.db is not None else read_number("REDIS_DB", text("REDIS_DB"), 0),
            unix_socket=url.unix_socket or text("REDIS_UNIX_SOCKET"),
            sentinels=read_addresses("REDIS_SENTINELS", text("REDIS_SENTINELS"), SENTINEL_PORT),
            sentinel_master=text("REDIS_SENTINEL_MASTER") or "",
            sentinel_username=text("REDIS_SENTINEL_USERNAME"),
            sentinel_password=text("REDIS_SENTINEL_PASSWORD"),
            cluster_nodes=read_addresses("REDIS_CLUSTER_NODES", text("REDIS_CLUSTER_NODES"), REDIS_PORT),
            is_tls=is_tls,
            tls_ca_file=text("REDIS_TLS_CA_FILE"),
            tls_cert_file=text("REDIS_TLS_CERT_FILE"),
            tls_key_file=text("REDIS_TLS_KEY_FILE"),
            is_tls_name_checked=read_switch("REDIS_TLS_CHECK_NAME", text("REDIS_TLS_CHECK_NAME"), True),
        )


def _join(addresses: tuple[Address, ...]) -> str:
    return ", ".join(map(str, addresses))
