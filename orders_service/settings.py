"""What the orders service is told by its environment; read once, by the command line, and passed down."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from orders_service import errors
from rosq.service_links import read_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Name of the queue that operators know.
DEFAULT_QUEUE: Final = "order-processing"
DEFAULT_PORT: Final = 5003
DEFAULT_REST_PORT: Final = 5004
#: Name of the queue on which what is to be told to clients travels.
DEFAULT_WEBHOOK_QUEUE: Final = "order-webhooks"
#: Seconds between the tries to tell a client: about a day in all.
#: A try is over long before its job's time is: else another one would send the same beside it.
_WEBHOOK_TIMEOUT_S: Final = 60.0
_WEBHOOK_PAUSES_S: Final = (10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, *[7200.0] * 11)
_DAY_S: Final = 86_400.0

_LONGEST_S: Final = 366 * 86_400.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Where PostgreSQL is, and how many connections to hold.

    Attributes:
        host: Name, address, or the folder of a unix socket; several, separated by commas, of which the one that takes
            changes is used.
        pool_size: Connections at most; DB_POOL_SIZE.
        acquire_timeout_s: How long a call waits for a connection before it answers UNAVAILABLE.
        connect_timeout_s: How long one attempt to connect may take.
        statement_timeout_s: A statement that runs longer is cancelled by the server.
    """

    host: str = "127.0.0.1"
    port: int = 5432
    username: str = "postgres"
    password: str | None = dataclasses.field(default=None, repr=False)
    name: str = "rosreestr_extracts"
    pool_size: int = 10
    acquire_timeout_s: float = 5.0
    connect_timeout_s: float = 5.0
    statement_timeout_s: float = 30.0

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> DatabaseSettings:
        """Read DB_HOST, DB_PORT, DB_USERNAME, DB_PASSWORD, DB_NAME and DB_POOL_SIZE; an empty one counts as unset.

        Raises:
            SettingsInvalid: A number isn't one, or out of its range.
        """
        default = cls()
        host, port = _endpoint(environ, "DB_HOST", "DB_PORT", default.host, default.port)
        return cls(
            host=host,
            port=port,
            username=environ.get("DB_USERNAME") or default.username,
            password=environ.get("DB_PASSWORD") or None,
            name=environ.get("DB_NAME") or default.name,
            # The relay keeps one while it talks to the queue, the reconciler may need another, and calls come first.
            pool_size=_integer(environ, "DB_POOL_SIZE", default.pool_size, low=3, high=1000),
        )

    @property
    def where(self) -> str:
        """The server in words for people, without secrets."""
        return f"{self.host} (unix socket, port {self.port})" if self.is_socket else f"{self.host}:{self.port}"

    @property
    def is_socket(self) -> bool:
        """Whether the host is a folder with a unix socket."""
        return self.host.startswith(("/", "@"))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """How clients are told of what becomes of their orders.

    Attributes:
        queue_name: Where what is to be told travels; WEBHOOK_QUEUE.
        senders: How many are told at once by one process; 0: it tells nobody; WEBHOOK_SENDERS.
        timeout_s: For one try, from looking up the name to the answer; WEBHOOK_TIMEOUT_S, up to 60.
        lease_s: What a killed process was sending is sent again after so long; WEBHOOK_LEASE_S.
        off_after_s: A webhook at whose address nothing was taken for so long is switched off; WEBHOOK_OFF_AFTER_S.
        keep_s: What is over is forgotten after so long; WEBHOOK_KEEP_S.
        ca_file: Authorities to trust beside the usual ones; WEBHOOK_CA_FILE.
        pauses_s: Between the tries; after as many and one more it is given up.
        give_up_after_s: After so long the try that fails next is the last, however many there were.
        rest_s: For which an address that failed thrice in a row is left in peace at first.
        away_after_s: An address at which nothing was taken for longer is back with the first that is: what waits for
            another try is tried then. Not sooner, or one that takes now and then would use up all tries in an hour.
        sweep_s: How often it is looked whether the queue still has what it should.
    """

    queue_name: str = DEFAULT_WEBHOOK_QUEUE
    senders: int = 4
    timeout_s: float = 15.0
    lease_s: float = 30.0
    off_after_s: float = 3 * _DAY_S
    keep_s: float = 30 * _DAY_S
    ca_file: str | None = None
    pauses_s: tuple[float, ...] = _WEBHOOK_PAUSES_S
    give_up_after_s: float = 2 * _DAY_S
    rest_s: float = 5.0
    away_after_s: float = 600.0
    sweep_s: float = 30.0

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> WebhookSettings:
        """Read the variables; an empty one counts as unset.

        Raises:
            SettingsInvalid: A number isn't one, or out of its range.
        """
        default = cls()
        return cls(
            queue_name=environ.get("WEBHOOK_QUEUE") or default.queue_name,
            senders=_integer(environ, "WEBHOOK_SENDERS", default.senders, low=0, high=64),
            timeout_s=_seconds(environ, "WEBHOOK_TIMEOUT_S", default.timeout_s, at_most=_WEBHOOK_TIMEOUT_S),
            lease_s=_seconds(environ, "WEBHOOK_LEASE_S", default.lease_s),
            off_after_s=_seconds(environ, "WEBHOOK_OFF_AFTER_S", default.off_after_s),
            keep_s=_seconds(environ, "WEBHOOK_KEEP_S", default.keep_s),
            ca_file=environ.get("WEBHOOK_CA_FILE") or None,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the service's behaviour depends on, apart from its secret and its queue's server.

    Attributes:
        queue_name: Where orders are put for workers; ROSQ_QUEUE.
        order_lease_s: An order in hand counts as abandoned when its last sign of life is older; ORDER_LEASE_S. Not
            less than the workers' lease.
        relay_sweep_s: How often the relay looks without being woken; RELAY_SWEEP_S.
        reconcile_interval_s: How often open orders are compared with the queue; RECONCILE_INTERVAL_S.
        relay_margin_s: An order that was relayed less than this ago isn't judged yet by the reconciler.
        stop_grace_s: How long running calls may take to end after SIGTERM; ORDERS_SERVICE_GRACE_S.
        extract_store: Where new papers go: `database`, file:///folder or s3://bucket/prefix; EXTRACT_STORE.
        webhooks: How clients are told of their orders.
    """

    db: DatabaseSettings = dataclasses.field(default_factory=DatabaseSettings)
    queue_name: str = DEFAULT_QUEUE
    order_lease_s: float = 30.0
    relay_sweep_s: float = 5.0
    reconcile_interval_s: float = 10.0
    relay_margin_s: float = 5.0
    stop_grace_s: float = 10.0
    extract_store: str = "database"
    webhooks: WebhookSettings = dataclasses.field(default_factory=WebhookSettings)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment; an empty variable counts as unset.

        Raises:
            SettingsInvalid: A number isn't one, or out of its range.
        """
        default = cls()
        queue_name = environ.get("ROSQ_QUEUE") or default.queue_name
        webhooks = WebhookSettings.from_env(environ)
        if webhooks.queue_name == queue_name:
            raise errors.SettingsInvalid(
                "WEBHOOK_QUEUE", f"must name another queue than that of the orders, {queue_name!r}, which workers read."
            )
        return cls(
            db=DatabaseSettings.from_env(environ),
            queue_name=queue_name,
            order_lease_s=_seconds(environ, "ORDER_LEASE_S", default.order_lease_s),
            relay_sweep_s=_seconds(environ, "RELAY_SWEEP_S", default.relay_sweep_s),
            reconcile_interval_s=_seconds(environ, "RECONCILE_INTERVAL_S", default.reconcile_interval_s),
            stop_grace_s=_seconds(environ, "ORDERS_SERVICE_GRACE_S", default.stop_grace_s),
            extract_store=environ.get("EXTRACT_STORE") or default.extract_store,
            webhooks=webhooks,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host and port on which the service listens, or where a client finds it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, variable: str) -> Address:
        """Read `host:port`, `[::1]:port`, or a port alone (then on loopback).

        Raises:
            SettingsInvalid: It is neither; the message names `variable`.
        """
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65535:
            raise errors.SettingsInvalid(variable, f"must be host:port, like 127.0.0.1:5003, not {text!r}.")
        return cls(host=host or "127.0.0.1", port=int(port))

    @classmethod
    def of_service(cls, environ: Mapping[str, str]) -> Address:
        """Read where clients find the service: ORDERS_SERVICE_HOST and ORDERS_SERVICE_PORT.

        Raises:
            SettingsInvalid: The port isn't one.
        """
        host, port = _endpoint(environ, "ORDERS_SERVICE_HOST", "ORDERS_SERVICE_PORT", "127.0.0.1", DEFAULT_PORT)
        return cls(host=host, port=port)


def _endpoint(
    environ: Mapping[str, str], host_variable: str, port_variable: str, host: str, port: int
) -> tuple[str, int]:
    try:
        return read_endpoint(
            environ.get(host_variable), environ.get(port_variable), default_host=host, default_port=port
        )
    except ValueError as exc:
        raise errors.SettingsInvalid(port_variable, str(exc)) from exc


def _integer(environ: Mapping[str, str], variable: str, default: int, *, low: int, high: int) -> int:
    text = environ.get(variable, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise errors.SettingsInvalid(variable, f"must be a whole number from {low} to {high}, not {text!r}.")
    return int(text)


def _seconds(environ: Mapping[str, str], variable: str, default: float, *, at_most: float = _LONGEST_S) -> float:
    text = environ.get(variable, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError as exc:
        raise errors.SettingsInvalid(variable, f"must be a number of seconds, not {text!r}.") from exc
    if not 0 < value <= at_most:
        rule = f"must be a number of seconds above 0 and up to {at_most:.0f}, not {text!r}."
        raise errors.SettingsInvalid(variable, rule)
    return value
