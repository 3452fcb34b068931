"""The settings of one worker process: one frozen value, built by the CLI and passed down."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orders_service.channel.settings import ChannelSettings
from rosq.service_links import read_endpoint
from worker.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosq import RedisSettings
    from worker.portal.settings import PortalSettings

#: What the service accepts for a portal that isn't on loopback: idle limit, plus work on a finish, plus the list's lag.
MIN_ABSENT_AFTER_S: Final = 3600.0
DEFAULT_QUEUE: Final = "order-processing"
DEFAULT_SERVICE_PORT: Final = 5003
DEFAULT_PORTAL_URL: Final = "https://lk.rosreestr.ru"

_USERNAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUEUE: Final = _USERNAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that one worker needs to know but the secret that opens its account's password.

    Raises:
        SettingsInvalid: When built: names the setting, what is wrong and what to do.
    """

    #: The account; also the consumer's name in the queue.
    username: str
    queue: str = DEFAULT_QUEUE
    redis: RedisSettings
    orders_service_host: str = "127.0.0.1"
    orders_service_port: int = DEFAULT_SERVICE_PORT
    #: How the orders service is reached: by TLS or plain, and with which access token.
    channel: ChannelSettings = field(default_factory=ChannelSettings)
    portal: PortalSettings
    #: From the number to the first look whether the extract is ready.
    first_check_s: float = 60.0
    #: Between two looks at one order.
    check_interval_s: float = 60.0
    #: An object that the portal doesn't know is asked for once more after so long.
    not_found_recheck_s: float = 600.0
    #: How long the list must show nothing before a send counts as absent.
    absent_after_s: float = MIN_ABSENT_AFTER_S
    #: While the account stands by: how often to ask whether it may go on.
    standby_check_s: float = 15.0
    #: How long the gate is asked while the paid call's connection stands open; the portal closes it before long anyway.
    gate_patience_s: float = 20.0
    #: An account without orders left is tried again after so long.
    exhausted_retry_s: float = 1800.0
    #: How long a delivery is ours without a heartbeat.
    lease_s: float = 30.0
    #: No delivery takes longer, or it hangs and its job is taken over.
    run_timeout_s: float = 3600.0
    #: How long a stop waits for the order in hand before it is put down.
    grace_s: float = 45.0
    #: Where the file lies that tells a successor on this machine that we are gone.
    lock_dir: Path
    #: Touched while the worker is well; None: nowhere.
    alive_file: Path | None = None

    def __post_init__(self) -> None:
        if not _USERNAME.fullmatch(self.username):
            raise SettingsInvalid(
                f"The account {self.username!r} isn't a username: 1 to 64 of A-Z a-z 0-9 . _ - are allowed;"
                " set ROSREESTR_USER_NAME or --account."
            )
        if not _QUEUE.fullmatch(self.queue):
            raise SettingsInvalid(f"The queue {self.queue!r} isn't a name: 1 to 64 of A-Z a-z 0-9 . _ - are allowed.")
        if not 0 < self.orders_service_port < 65536:
            raise SettingsInvalid(f"ORDERS_SERVICE_PORT must be 1 to 65535, not {self.orders_service_port}.")
        if not self.orders_service_host:
            raise SettingsInvalid("ORDERS_SERVICE_HOST is empty: set it to where the orders service listens.")
        for name, env in (
            ("check_interval_s", "ROSREESTR_CHECK_INTERVAL_S"),
            ("absent_after_s", "ROSREESTR_ABSENT_AFTER_S"),
            ("standby_check_s", "ROSREESTR_STANDBY_CHECK_S"),
            ("lease_s", "ROSQ_LEASE_S"),
        ):
            if not 0 < getattr(self, name) < float("inf"):
                raise SettingsInvalid(f"{env} must be more than 0 seconds, not {getattr(self, name)!r}.")
        for name, env in (
            ("first_check_s", "ROSREESTR_FIRST_CHECK_S"),
            ("not_found_recheck_s", "ROSREESTR_NOT_FOUND_RECHECK_S"),
            ("grace_s", "ROSQ_GRACE_S"),
        ):
            if not 0 <= getattr(self, name) < float("inf"):
                raise SettingsInvalid(f"{env} must be 0 or more seconds, not {getattr(self, name)!r}.")
        if self.absent_after_s < MIN_ABSENT_AFTER_S and not self.portal.is_loopback:
            raise SettingsInvalid(
                f"ROSREESTR_ABSENT_AFTER_S is {self.absent_after_s:g}: less than {MIN_ABSENT_AFTER_S:g} is for a portal"
                " on loopback only, because an order that is given up too early may be paid twice."
            )

    @property
    def own_lane(self) -> str:
        """The lane of what is bound to this account."""
        return f"@{self.username}"

    @property
    def lock_file(self) -> Path:
        """Held while we live."""
        return self.lock_dir / f"{self.queue}.{self.username}.lock"


def default_lock_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder for lock files where none was named: this user's own, gone after a reboot."""
    runtime_dir = environ.get("XDG_RUNTIME_DIR", "")
    if runtime_dir and Path(runtime_dir).is_dir():
        return Path(runtime_dir) / "rosq"
    return Path(tempfile.gettempdir()) / f"rosq-{os.getuid()}"


def ensure_lock_dir(path: Path) -> None:
    """Make the folder for lock files, for this user alone.

    Raises:
        SettingsInvalid: It can't be made or written, or is somebody else's: he could make us believe that a live worker
            is dead.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = path.stat().st_uid
    except OSError as exc:
        raise SettingsInvalid(
            f"The folder for lock files {str(path)!r} can't be made ({exc.strerror}): set --lock-dir."
        ) from exc
    if owner not in (os.getuid(), 0):
        raise SettingsInvalid(f"The folder for lock files {str(path)!r} belongs to another user: set --lock-dir.")
    if not os.access(path, os.W_OK | os.X_OK):
        raise SettingsInvalid(f"The folder for lock files {str(path)!r} can't be written: set --lock-dir.")


def read_service_address(host: str, port: str) -> tuple[str, int]:
    """Read where the orders service is; a port that Kubernetes set for a Service of its name is the Service's address.

    Raises:
        SettingsInvalid: The port isn't one.
    """
    try:
        return read_endpoint(host, port, default_host="127.0.0.1", default_port=DEFAULT_SERVICE_PORT)
    except ValueError as exc:
        raise SettingsInvalid(f"ORDERS_SERVICE_PORT {exc}") from exc
