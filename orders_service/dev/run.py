"""What `orders-service dev` does: the demo, and the stack that stays."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from orders_service.dev import errors, leftovers
from orders_service.dev.demo import PACE as DEMO_PACE
from orders_service.dev.demo import SIMULATOR_OPTIONS as DEMO_SIMULATOR_OPTIONS
from orders_service.dev.demo import Demo
from orders_service.dev.folder import StateFolder
from orders_service.dev.stack import Plan, Stack
from orders_service.dev.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

#: Slower than the demo, so that a person can follow; each can be set in the environment.
UP_PACE = {
    "ROSREESTR_MIN_INTERVAL_S": "0.5",
    "ROSREESTR_JITTER_S": "0",
    "ROSREESTR_DAILY_LIMIT": "0",
    "ROSREESTR_FIRST_CHECK_S": "3",
    "ROSREESTR_CHECK_INTERVAL_S": "3",
    "ROSREESTR_NOT_FOUND_RECHECK_S": "10",
    "ROSREESTR_ABSENT_AFTER_S": "60",
}
UP_SIMULATOR_OPTIONS = ("--ready-after", "5", "--latency", "0.05:0.3")


def run_demo(path: Path, workers: int, environ: Mapping[str, str], console: Console) -> None:
    """Bring a fresh stack up, run the demo on it, and end everything.

    Raises:
        DemoFailed: Its result isn't what it must be.
        StopRequested: A signal stopped it.
    """
    plan = Plan(workers=workers, pace=DEMO_PACE, simulator_options=DEMO_SIMULATOR_OPTIONS)
    with StateFolder(path) as folder, Supervisor() as supervisor:
        _end_leftovers(folder, console)
        folder.clear()
        stack = Stack(plan, folder, supervisor, environ, lambda text: console.print(f"[dim]starting[/] {text}"))
        stack.bring_up()
        Demo(stack, supervisor, folder.subfolder("extracts"), console).run()


def run_up(path: Path, workers: int, environ: Mapping[str, str], console: Console) -> None:
    """Bring the stack up and stay until a signal comes.

    Raises:
        ChildEnded: A part ended by itself; the others were stopped.
        StopRequested: A signal came before everything was up.
    """
    pace = {name: environ.get(name) or value for name, value in UP_PACE.items()}
    plan = Plan(workers=workers, pace=pace, simulator_options=UP_SIMULATOR_OPTIONS)
    with StateFolder(path) as folder, Supervisor() as supervisor:
        _end_leftovers(folder, console)
        stack = Stack(plan, folder, supervisor, environ, lambda text: console.print(f"[dim]starting[/] {text}"))
        stack.bring_up()
        _print_addresses(stack, folder, console)
        try:
            while True:
                supervisor.pause(60)
        except errors.StopRequested as exc:
            console.print(f"{exc} Ending everything in order; once more ends it at once.")


def _end_leftovers(folder: StateFolder, console: Console) -> None:
    names = leftovers.end_leftovers(folder.run_dir, folder.path)
    if names:
        console.print(f"Ended what an earlier run had left: {', '.join(names)}.")


def _print_addresses(stack: Stack, folder: StateFolder, console: Console) -> None:
    # Whole paths: the other terminal may stand in another folder.
    source = f". {shlex.quote(str(folder.env_path))}"
    rows = [
        ("orders service", f"{stack.service_address} (gRPC, reflection on)"),
        ("by REST", f"http://{stack.rest_address} (to read and try: http://{stack.rest_address}/docs)"),
        ("PostgreSQL", stack.database_address),
        ("Redis", stack.redis_address),
        ("portal", f"{stack.portal_url} (simulated; what was paid: {stack.portal_url}/_simulator/ledger)"),
        ("workers", ", ".join(stack.usernames)),
        ("logs", str(folder.log_dir)),
    ]
    tries = [
        f"{source} && orders-service orders submit --cad-num 77:01:0001001:1001 --cad-num 77:01:0001001:1002",
        f"{source} && orders-service orders list",
        f"{source} && rosq inspect",
    ]
    console.print("\n[green]Everything is up.[/]\n")
    for name, value in rows:
        console.print(f"  {name:<16}{value}", soft_wrap=True)
    console.print("\nTry, in another terminal:\n")
    for line in tries:
        console.print(f"  {line}", soft_wrap=True)
    console.print("\nCtrl-C ends everything.")
