"""`rosreestr-simulator`: the portal's contract, served over HTTP on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from worker.simulator import errors, logs, options, scenario, server
from worker.simulator.plan import plan_of

EPILOG = """
\b
Examples:
  rosreestr-simulator --port 8090 --account user_1:secret --account user_2:secret
  rosreestr-simulator --port 0 --port-file port.txt --accounts accounts.json --state ledger.jsonl
  rosreestr-simulator --scenario a-bad-day.toml --mood 0.05 --seed 7
  curl http://127.0.0.1:8090/_simulator/ledger
  curl -d '{"endpoint": "search", "kind": "waf", "rate": 0.1}' http://127.0.0.1:8090/_simulator/faults

\b
Every option can be set in the environment: ROSREESTR_SIMULATOR_ and its name, as shown.
Of several values of one variable each stands after a space.

\b
Exit codes: 0 stopped by SIGTERM or SIGINT; 1 can't start; 2 wrong options.
"""


def _take_settings(ctx: click.Context, param: click.Parameter, value: Path | None) -> scenario.Scenario:
    """Let the scenario's settings stand where neither the command line nor the environment says anything."""
    try:
        known = scenario.read(value) if value is not None else scenario.Scenario()
    except errors.BadSettings as exc:
        raise click.UsageError(str(exc), ctx) from exc
    ctx.default_map = dict(known.settings)
    return known


@click.command(
    cls=options.GroupedCommand,
    epilog=EPILOG,
    context_settings={
        "auto_envvar_prefix": "ROSREESTR_SIMULATOR",
        "show_default": True,
        "max_content_width": 120,
        "help_option_names": ["-h", "--help"],
    },
)
@click.option("--host", default="127.0.0.1", show_envvar=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_envvar=True,
    help="Port; 0 takes a free one. A JSON line on stdout says which.",
)
@click.option(
    "--port-file",
    type=click.Path(path_type=Path, dir_okay=False),
    show_envvar=True,
    help="Also write the port into this file, once clients can connect.",
)
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path, dir_okay=False),
    show_envvar=True,
    help="Serve HTTPS with this certificate (PEM, with its chain).",
)
@click.option(
    "--tls-key", type=click.Path(path_type=Path, dir_okay=False), show_envvar=True, help="The certificate's key (PEM)."
)
@click.option(
    "--account",
    "account",
    multiple=True,
    metavar="USERNAME:PASSWORD[:TOTP_SECRET]",
    envvar="ROSREESTR_SIMULATOR_ACCOUNT",
    show_envvar=True,
    help="An account that can log in, 100 points on its balance. Repeatable.",
)
@click.option(
    "--accounts",
    "accounts",
    envvar="ROSREESTR_SIMULATOR_ACCOUNTS",
    type=click.Path(path_type=Path, dir_okay=False),
    show_envvar=True,
    help="JSON file of accounts with balance, oid or roles, totp_secret, has_passport, has_access_key and so on.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    show_envvar=True,
    help="Keep orders and ledger in this file, so that they outlive a restart. Each is on disk before it is answered.",
)
@click.option(
    "--scenario",
    "scenario",
    envvar="ROSREESTR_SIMULATOR_SCENARIO",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    callback=_take_settings,
    show_envvar=True,
    help="TOML file with settings, accounts, objects, faults, orders, and steps that come later. Options win over it.",
)
@click.option("--unknown", multiple=True, metavar="CADNUM", show_envvar=True, help="No such object. Repeatable.")
@click.option("--annulled", multiple=True, metavar="CADNUM", show_envvar=True, help="Annulled. Repeatable.")
@click.option(
    "--spelling",
    multiple=True,
    metavar="CADNUM",
    show_envvar=True,
    help="The portal prints the object exactly so, with whatever leading zeros it was asked for. Repeatable.",
)
@click.option(
    "--notice",
    multiple=True,
    metavar="CADNUM",
    show_envvar=True,
    help="Its order ends with a notice of absence. Repeatable.",
)
@click.option(
    "--rejected",
    multiple=True,
    metavar="CADNUM",
    show_envvar=True,
    help="Its order ends as rejected / «Отказ». Repeatable.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_envvar=True,
    help="On stderr; at info one line a call.",
)
@options.of_settings
@click.pass_context
def main(ctx: click.Context, /, **values: Any) -> None:
    """Stand in for the portal of Rosreestr: log in, search, order, pay, list and download, all on this machine.

    Every cadastral number that looks valid exists, but those given by --unknown. What was charged is in the ledger, GET
    /_simulator/ledger; a repeated finish charges twice, so that paying twice shows. Settings turn while it runs, by
    POST /_simulator/settings; faults are ordered by POST /_simulator/faults. A browser shows all of it at /_simulator/.
    """
    logs.configure(values["log_level"])
    host, port_file = values["host"], values["port_file"]
    try:
        plan = plan_of(values)
        certificate = server.checked_certificate(values["tls_cert"], values["tls_key"])
        with plan.opened() as simulator, server.listen(host, values["port"]) as sock:
            server.hold_signals()
            _announce(host, sock.getsockname()[1], port_file, scheme="http" if certificate is None else "https")
            server.serve(simulator, sock, plan.scenario.steps, certificate)
    except errors.BadSettings as exc:
        raise click.UsageError(str(exc), ctx) from exc
    except errors.StartRefused as exc:
        raise click.ClickException(str(exc)) from exc


def _announce(host: str, port: int, port_file: Path | None, *, scheme: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    click.echo(
        json.dumps({"event": "listening", "url": f"{scheme}://{shown}:{port}", "port": port, "pid": os.getpid()})
    )
    if port_file is not None:
        server.write_port_file(port_file, port)


if __name__ == "__main__":
    main()
