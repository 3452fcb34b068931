"""`orders-service dev`: the whole system on this machine, to stay or as a demo."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import NoReturn

import click
import grpc
from rich.console import Console

from orders_service import errors as service_errors
from orders_service.dev import errors

UP_FOLDER = Path("var/dev")
DEMO_FOLDER = Path("var/demo")

EPILOG = """\b
Servers: PostgreSQL and Valkey come from packages, and keep their data in the folder. Where DB_HOST or DB_PORT is set,
that PostgreSQL is used instead; where REDIS_HOST or REDIS_PORT is set, that Redis.

\b
Examples:
  orders-service dev                       stay, and print addresses and commands to try
  orders-service dev --demo                run fourteen orders, show the result, end
  orders-service dev --dir /tmp/try --workers 5

\b
Exit codes:
  0    done; or stopped by Ctrl-C or SIGTERM once everything was up
  1    a part failed (it is named, with the end of its log), or the demo's result is wrong
  2    wrong usage
  3    a server that DB_* or REDIS_* names can't be reached
  130  the demo, or the start, was stopped by Ctrl-C (143: by SIGTERM, 129: its terminal was closed)
"""


@click.command(epilog=EPILOG, context_settings={"max_content_width": 110})
@click.option("--demo", "is_demo", is_flag=True, help="Run real orders through everything, show the result, and end.")
@click.option(
    "--dir",
    "path",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="ORDERS_SERVICE_DEV_DIR",
    show_envvar=True,
    help=f"Where everything is kept.  [default: {UP_FOLDER}; with --demo {DEMO_FOLDER}, emptied at each start]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 20),
    default=3,
    show_default=True,
    envvar="ORDERS_SERVICE_DEV_WORKERS",
    show_envvar=True,
    help="How many accounts, each with a worker of its own.",
)
def dev(is_demo: bool, path: Path | None, workers: int) -> None:
    """Run the whole system on this machine: servers, a simulated portal, the service, a worker per account.

    Everything is a child of this command and ends with it. Nothing here talks to the real portal, and nothing is paid.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Statuses are Russian; a terminal that can't show them is no reason to break off.
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False)
    try:
        # Here, not above: a service in production has the other commands without the packages that this one needs.
        from orders_service.dev import run

        if is_demo:
            run.run_demo(path or DEMO_FOLDER, workers, os.environ, console)
        else:
            run.run_up(path or UP_FOLDER, workers, os.environ, console)
    except ModuleNotFoundError as exc:
        if exc.name != "psutil":
            raise
        _fail(str(errors.PackageMissing("psutil")), "", 1)
    except errors.StopRequested as exc:
        click.echo(f"{exc} Everything has ended.", err=True)
        raise SystemExit(128 + exc.signal_number) from None
    except errors.DevError as exc:
        _fail(str(exc), exc.detail, exc.exit_code)
    except service_errors.DatabaseUnavailable as exc:
        _fail(str(exc), "", errors.ServerAway.exit_code)
    except service_errors.OrdersServiceError as exc:
        _fail(str(exc), "", 1)
    except grpc.RpcError as exc:
        details = exc.details() if isinstance(exc, grpc.Call) else str(exc)
        _fail(f"The orders service refused: {details}", "", 1)


def _fail(message: str, detail: str, code: int) -> NoReturn:
    if detail:
        click.echo("\n".join(f"  | {line}" for line in detail.splitlines()), err=True)
    click.echo(f"Error: {message}", err=True)
    raise SystemExit(code)
