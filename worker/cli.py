"""`rosq-worker`: one worker for one account of the portal."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from orders_service.channel.settings import ChannelInvalid, ChannelSettings
from orders_service.crypto import PREVIOUS_SECRETS_ENV, SECRET_ENV, CryptoError, Secretbox
from rosq import InvalidSettings, RedisSettings, RosqError, ServerUnreachable, logs
from rosq.commands.values import Seconds, require_text
from rosq.secret_files import SecretFiles
from worker.errors import SettingsInvalid, WorkerError
from worker.portal.errors import PortalSettingsInvalid
from worker.portal.hours import read_windows
from worker.portal.settings import PortalSettings
from worker.run import Wiring, find_unknown, run
from worker.service.errors import ServiceUnreachable
from worker.settings import (
    DEFAULT_PORTAL_URL,
    DEFAULT_QUEUE,
    DEFAULT_SERVICE_PORT,
    MIN_ABSENT_AFTER_S,
    Settings,
    default_lock_dir,
    ensure_lock_dir,
    read_service_address,
)

EXIT_STOPPED: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 3


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120, "show_default": True},
    epilog="""\b
Exit codes: 0 stopped on request, 1 failed (the sentence on stderr says why), 2 wrong options or settings,
3 Redis or the orders service can't be reached at the start (later it waits for them).

\b
More of the environment: REDIS_HOST, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB name the queue's server (or
REDIS_URL, REDIS_UNIX_SOCKET, REDIS_SENTINELS, REDIS_CLUSTER_NODES, with REDIS_TLS: see docs/servers.md);
ROSREESTR_CRYPTO_SECRET opens the account's sealed password, and is required. Secrets may lie in files, which
ROSREESTR_CRYPTO_SECRET_FILE, REDIS_PASSWORD_FILE and so on name. DB_* and BCRYPT_SALT_ROUNDS are accepted and have no
effect: a worker knows no database.

\b
Where the orders service asks for an access token, ORDERS_SERVICE_TOKEN has that of this account, or a file that
ORDERS_SERVICE_TOKEN_FILE names. ORDERS_SERVICE_TLS=1 speaks TLS, with ORDERS_SERVICE_TLS_CA_FILE, and
ORDERS_SERVICE_TLS_CERT_FILE and ORDERS_SERVICE_TLS_KEY_FILE where the service asks for a certificate.

\b
Example:
  ROSREESTR_CRYPTO_SECRET=... rosq-worker --account rosreestr_user_1

SIGTERM or SIGINT (Ctrl-C) lets the order in hand come to a good place, at most for the grace time; a second one
puts it down at once. An order is never lost by it, and nothing is paid twice.
""",
)
@click.option(
    "--account", envvar="ROSREESTR_USER_NAME", required=True, show_envvar=True, help="The account to work for."
)
@click.option("--queue", envvar="ROSQ_QUEUE", default=DEFAULT_QUEUE, show_envvar=True, help="The queue to read.")
@click.option(
    "--service-host",
    envvar="ORDERS_SERVICE_HOST",
    default="",
    show_default="127.0.0.1",
    show_envvar=True,
    help="Orders service: host.",
)
@click.option(
    "--service-port",
    envvar="ORDERS_SERVICE_PORT",
    default=str(DEFAULT_SERVICE_PORT),
    show_envvar=True,
    help="Orders service: port, or tcp://HOST:PORT as Kubernetes sets it for a Service of that name.",
)
@click.option(
    "--portal-url", envvar="ROSREESTR_PORTAL_URL", default=DEFAULT_PORTAL_URL, show_envvar=True, help="The portal."
)
@click.option(
    "--ca-bundle",
    envvar="ROSREESTR_CA_BUNDLE",
    type=click.Path(path_type=Path),
    show_envvar=True,
    help="PEM file with the root and issuing certificates of the portal.",
)
@click.option(
    "--min-interval-s",
    envvar="ROSREESTR_MIN_INTERVAL_S",
    default=5.0,
    type=Seconds(),
    show_envvar=True,
    help="Seconds from start to start of any two calls of the account.",
)
@click.option(
    "--jitter-s",
    envvar="ROSREESTR_JITTER_S",
    default=3.0,
    type=Seconds(),
    show_envvar=True,
    help="Up to so many seconds more, drawn for each call; never more than the interval itself.",
)
@click.option(
    "--daily-limit",
    envvar="ROSREESTR_DAILY_LIMIT",
    default=450,
    type=click.IntRange(0, 1_000_000),
    show_envvar=True,
    help="Calls to the portal a day of Moscow, over all accounts of the person and over restarts; 0: no limit.",
)
@click.option(
    "--quiet-hours",
    envvar="ROSREESTR_QUIET_HOURS",
    default="",
    show_envvar=True,
    help="Hours of Moscow in which nothing is begun at the portal, such as 23:00-06:00; sat,sun@00:00-09:00.",
)
@click.option(
    "--maintenance",
    envvar="ROSREESTR_MAINTENANCE",
    default="",
    show_envvar=True,
    help="The same for the portal's own maintenance, where it is known before.",
)
@click.option(
    "--first-check-s",
    envvar="ROSREESTR_FIRST_CHECK_S",
    default=60.0,
    type=Seconds(),
    show_envvar=True,
    help="Seconds from the number to the first look for the extract.",
)
@click.option(
    "--check-interval-s",
    envvar="ROSREESTR_CHECK_INTERVAL_S",
    default=60.0,
    type=Seconds(),
    show_envvar=True,
    help="Seconds between two looks at one order.",
)
@click.option(
    "--not-found-recheck-s",
    envvar="ROSREESTR_NOT_FOUND_RECHECK_S",
    default=600.0,
    type=Seconds(),
    show_envvar=True,
    help="Seconds after which an object that the portal doesn't know is asked for once more.",
)
@click.option(
    "--absent-after-s",
    envvar="ROSREESTR_ABSENT_AFTER_S",
    default=MIN_ABSENT_AFTER_S,
    type=Seconds(),
    show_envvar=True,
    help="Seconds for which the account's list must show nothing before a paid call counts as lost without effect;"
    " less than the default is for a portal on loopback only.",
)
@click.option(
    "--standby-check-s",
    envvar="ROSREESTR_STANDBY_CHECK_S",
    default=15.0,
    type=Seconds(),
    show_envvar=True,
    help="Seconds between two questions whether the account may go on, while it stands by.",
)
@click.option(
    "--lock-dir",
    envvar="ROSQ_LOCK_DIR",
    type=click.Path(path_type=Path),
    show_envvar=True,
    help="Folder for the lock file by which a restarted worker knows that the one before it is dead. [default: a folder"
    " of this user in $XDG_RUNTIME_DIR or the temporary folder]",
)
@click.option(
    "--lease-s",
    envvar="ROSQ_LEASE_S",
    default=30.0,
    type=Seconds(),
    show_envvar=True,
    help="Seconds without a heartbeat after which the order in hand may go to another; not more than ORDER_LEASE_S of"
    " the orders service.",
)
@click.option(
    "--grace-s",
    envvar="ROSQ_GRACE_S",
    default=45.0,
    type=Seconds(),
    show_envvar=True,
    help="Seconds that a stop waits for the order in hand.",
)
@click.option(
    "--alive-file",
    envvar="ROSQ_ALIVE_FILE",
    type=click.Path(path_type=Path),
    show_envvar=True,
    help="File to touch every few seconds while the worker is well, for a container's health check.",
)
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    envvar="ROSQ_LOG_LEVEL",
    default="INFO",
    show_envvar=True,
)
@click.pass_context
def cli(
    context: click.Context,
    *,
    account: str,
    queue: str,
    service_host: str,
    service_port: str,
    portal_url: str,
    ca_bundle: Path | None,
    min_interval_s: float,
    jitter_s: float,
    daily_limit: int,
    quiet_hours: str,
    maintenance: str,
    first_check_s: float,
    check_interval_s: float,
    not_found_recheck_s: float,
    absent_after_s: float,
    standby_check_s: float,
    lock_dir: Path | None,
    lease_s: float,
    grace_s: float,
    alive_file: Path | None,
    log_level: str,
) -> None:
    """Work off orders of the queue with one account of the Rosreestr portal, one order at a time.

    Each order is registered at the portal, looked at again until its extract is ready, and the checked extract is
    handed to the orders service. Start one process per account.
    """
    logs.configure(log_level)
    try:
        host, port = read_service_address(service_host, service_port)
        settings = Settings(
            username=account,
            queue=queue,
            redis=RedisSettings.from_env(os.environ),
            orders_service_host=host,
            orders_service_port=port,
            channel=ChannelSettings.from_env(os.environ),
            portal=PortalSettings(
                url=portal_url,
                ca_bundle=ca_bundle,
                min_interval_s=min_interval_s,
                jitter_s=jitter_s,
                daily_limit=daily_limit,
                closed=(
                    *read_windows(quiet_hours, "ROSREESTR_QUIET_HOURS"),
                    *read_windows(maintenance, "ROSREESTR_MAINTENANCE"),
                ),
            ),
            first_check_s=first_check_s,
            check_interval_s=check_interval_s,
            not_found_recheck_s=not_found_recheck_s,
            absent_after_s=absent_after_s,
            standby_check_s=standby_check_s,
            lease_s=lease_s,
            grace_s=grace_s,
            lock_dir=lock_dir or default_lock_dir(os.environ),
            alive_file=alive_file,
        )
        settings.portal.make_ssl_context()
        ensure_lock_dir(settings.lock_dir)
    except (ChannelInvalid, SettingsInvalid, PortalSettingsInvalid, RosqError) as exc:
        _end(exc, EXIT_USAGE)
    try:
        secretbox = Secretbox.from_env(SecretFiles(os.environ, (SECRET_ENV, PREVIOUS_SECRETS_ENV)))
    except InvalidSettings as exc:
        _end(exc, EXIT_USAGE)
    except CryptoError as exc:
        # The secret is for an account's password: nobody should look for that of an account which doesn't exist.
        unknown = find_unknown(settings)
        if unknown is not None:
            _end(unknown, EXIT_FAILED)
        _end(exc, EXIT_USAGE)
    wiring = context.obj if isinstance(context.obj, Wiring) else Wiring()
    try:
        run(settings, secretbox, wiring)
    except ChannelInvalid as exc:
        _end(exc, EXIT_USAGE)
    except (ServerUnreachable, ServiceUnreachable) as exc:
        _end(exc, EXIT_UNREACHABLE)
    except (RosqError, WorkerError) as exc:
        _end(exc, EXIT_FAILED)


require_text(cli)


def _end(error: Exception, code: int) -> NoReturn:
    click.echo(f"rosq-worker: {error}", err=True)
    sys.exit(code)


def main() -> None:
    """Entry of the script `rosq-worker`."""
    cli()


if __name__ == "__main__":
    main()
