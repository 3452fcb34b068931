"""`orders-service serve`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orders_service import process
from orders_service.commands.context import QUIET, WrongSetting
from orders_service.crypto import Secretbox
from orders_service.listening import ListenSettings, TlsFiles
from orders_service.settings import DEFAULT_REST_PORT, Address, Settings
from orders_service.store import extracts, migrations
from rosq import Queue, RedisSettings, RosqError, logs
from rosq.commands.values import Number

if TYPE_CHECKING:
    from orders_service.commands.context import Context


@click.command()
@click.option(
    "--listen",
    envvar="ORDERS_SERVICE_LISTEN",
    default="127.0.0.1:5003",
    show_default=True,
    show_envvar=True,
    help="Address and port for gRPC. Beyond loopback it wants a certificate and access tokens.",
)
@click.option(
    "--listen-workers",
    envvar="ORDERS_SERVICE_LISTEN_WORKERS",
    metavar="HOST:PORT",
    show_envvar=True,
    help="A port for workers alone; those of clients then don't offer WorkerService. Default: one port for all.",
)
@click.option(
    "--rest-listen",
    envvar="ORDERS_SERVICE_REST_LISTEN",
    default=f"127.0.0.1:{DEFAULT_REST_PORT}",
    show_default=True,
    show_envvar=True,
    help="Address and port for REST, with a page to try it at /docs; `off`: none. Beyond loopback as for gRPC.",
)
@click.option(
    "--tls-cert-file",
    envvar="ORDERS_SERVICE_LISTEN_TLS_CERT_FILE",
    metavar="PEM",
    show_envvar=True,
    help="The service's certificate, with those between it and its authority. Renewed files are read by themselves.",
)
@click.option(
    "--tls-key-file",
    envvar="ORDERS_SERVICE_LISTEN_TLS_KEY_FILE",
    metavar="PEM",
    show_envvar=True,
    help="Its key, without a passphrase.",
)
@click.option(
    "--tls-client-ca-file",
    envvar="ORDERS_SERVICE_LISTEN_TLS_CLIENT_CA_FILE",
    metavar="PEM",
    show_envvar=True,
    help="Take only connections with a certificate that one of these authorities has signed (mutual TLS).",
)
@click.option(
    "--insecure-without-tls",
    envvar="ORDERS_SERVICE_INSECURE_WITHOUT_TLS",
    is_flag=True,
    show_envvar=True,
    help="Let other machines connect without TLS: whoever can read the network reads tokens and extracts.",
)
@click.option(
    "--insecure-without-tokens",
    envvar="ORDERS_SERVICE_INSECURE_WITHOUT_TOKENS",
    is_flag=True,
    show_envvar=True,
    help="Ask nobody on other machines who he is, while no access token was made: whoever connects may do everything.",
)
@click.option(
    "--rate",
    envvar="ORDERS_SERVICE_RATE",
    type=Number(0, 1_000_000_000),
    default=500.0,
    show_default=True,
    show_envvar=True,
    help="Calls a second that one access token may make, twice as many at once after a rest; 0: without limit.",
)
@click.option(
    "--sql-dir",
    envvar=migrations.FOLDER_VARIABLE,
    type=click.Path(path_type=Path),
    show_envvar=True,
    help="Folder of the schema's files, to check that they are applied. Default: sql/ beside the package.",
)
@click.option(
    "--log-level",
    envvar="ORDERS_SERVICE_LOG_LEVEL",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    show_envvar=True,
)
@click.pass_obj
def serve(
    context: Context,
    listen: str,
    listen_workers: str | None,
    rest_listen: str,
    tls_cert_file: str | None,
    tls_key_file: str | None,
    tls_client_ca_file: str | None,
    insecure_without_tls: bool,
    insecure_without_tokens: bool,
    rate: float,
    sql_dir: Path | None,
    log_level: str,
) -> None:
    """Serve orders by gRPC and REST, and keep the queue in step with the database, until SIGTERM or Ctrl-C.

    A second signal breaks off the calls under way. Needs PostgreSQL from the start; the queue's server may come and
    go. Several may serve one database.

    Without access tokens whoever is on this machine may do everything, and nobody else may connect. From the first
    `orders-service tokens add` on everybody needs one. See docs/security.md.

    \b
    Environment:
      DB_HOST DB_PORT DB_USERNAME DB_PASSWORD DB_NAME    PostgreSQL; DB_HOST may be the folder of a socket
      REDIS_HOST REDIS_PORT REDIS_PASSWORD REDIS_DB      the queue; or REDIS_URL and more, see docs/servers.md
      ROSREESTR_CRYPTO_SECRET                            seals the accounts' passwords; required
      ROSQ_QUEUE                                         the queue's name (order-processing)
      ORDER_LEASE_S                                      an order counts as abandoned after (30)
      RECONCILE_INTERVAL_S                               open orders are compared with the queue every (10)
      EXTRACT_STORE                                      where new papers go: database (the default), file:///folder
                                                         or s3://bucket/prefix
      WEBHOOK_SENDERS                                    clients told at once (4); 0: none. More: docs/webhooks.md
    \b
    Examples:
      orders-service serve
      orders-service serve --listen 0.0.0.0:5003 --tls-cert-file service.crt --tls-key-file service.key
      orders-service serve --listen 10.0.0.5:5003 --listen-workers 127.0.0.1:5013 --insecure-without-tls
    \b
    Exit codes: 0 stopped, 1 refused to start (says why), 2 wrong usage or environment, 3 PostgreSQL can't be reached.
    """
    logs.configure(log_level, quiet=QUIET)
    settings = Settings.from_env(context.environ)
    try:
        if extracts.check_place(settings.extract_store) != extracts.DATABASE:
            extracts.open_place(settings.extract_store)
    except extracts.PlaceInvalid as error:
        raise WrongSetting(f"EXTRACT_STORE: {error}") from error
    box = Secretbox.from_env(context.environ)
    where = ListenSettings(
        address=Address.parse(listen, "--listen (ORDERS_SERVICE_LISTEN)"),
        workers=Address.parse(listen_workers, "--listen-workers (ORDERS_SERVICE_LISTEN_WORKERS)")
        if listen_workers
        else None,
        rest=None if rest_listen == "off" else Address.parse(rest_listen, "--rest-listen (ORDERS_SERVICE_REST_LISTEN)"),
        tls=TlsFiles.read_options(tls_cert_file, tls_key_file, tls_client_ca_file),
        is_insecure_without_tls=insecure_without_tls,
        is_insecure_without_tokens=insecure_without_tokens,
        rate=rate,
    )
    folder = sql_dir or migrations.find_folder(context.environ)
    needed = migrations.read_folder(folder)
    try:
        queue = Queue(RedisSettings.from_env(context.environ), settings.queue_name)
        # A name that no queue may have is told here, before anything is opened.
        Queue(queue.redis_settings, settings.webhooks.queue_name).close()
    except RosqError as error:
        raise WrongSetting(str(error)) from error
    try:
        asyncio.run(process.serve(settings, box, queue, needed, where))
    finally:
        queue.close()
