"""`rosreestr-simulator`: the portal's contract, served over HTTP on this machine."""

from __future__ import annotations

import json
import os
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import click

from worker.simulator import accounts, cadnum, errors, logs, objects, runtime, server
from worker.simulator.settings import DuplicateGuid, FinishAnswer, KeyAnswer, ListOrder, Maintenance, Settings

E = TypeVar("E", bound=StrEnum)


class _Latency(click.ParamType[tuple[float, float]]):
    name = "MIN:MAX"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        low, colon, high = str(value).partition(":")
        try:
            return float(low), float(high if colon else low)
        except ValueError:
            self.fail(f"{value!r} is not MIN:MAX in seconds, such as 0.05:0.2", param, ctx)


class _Window(click.ParamType[Maintenance]):
    name = "HH:MM-HH:MM"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Maintenance:
        if isinstance(value, Maintenance):
            return value
        start, _, end = str(value).partition("-")
        try:
            return Maintenance(start=time.fromisoformat(start), end=time.fromisoformat(end))
        except ValueError:
            self.fail(f"{value!r} is not HH:MM-HH:MM, such as 02:00-04:30", param, ctx)


def _choice(kind: type[E]) -> click.Choice[str]:
    return click.Choice([member.value for member in kind])


EPILOG = """
\b
Examples:
  rosreestr-simulator --port 8090 --account user_1:secret --account user_2:secret
  rosreestr-simulator --port 0 --port-file /tmp/port --accounts accounts.json --state ledger.jsonl
  curl http://127.0.0.1:8090/_simulator/ledger

\b
Every option can be set in the environment: ROSREESTR_SIMULATOR_ and its name, as shown.
Of several values of one variable each stands after a space.

\b
Exit codes: 0 stopped by SIGTERM or SIGINT; 1 can't start; 2 wrong options.
"""


@click.command(
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
    "--account",
    "account_options",
    multiple=True,
    metavar="USERNAME:PASSWORD[:TOTP_SECRET]",
    envvar="ROSREESTR_SIMULATOR_ACCOUNT",
    show_envvar=True,
    help="An account that can log in, 100 points on its balance. Repeatable.",
)
@click.option(
    "--accounts",
    "accounts_file",
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
@click.option("--seed", type=int, default=0, show_envvar=True, help="Objects, people and latency follow from it.")
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
    "--latency", type=_Latency(), default="0:0", show_envvar=True, help="Seconds before each call is worked on."
)
@click.option("--ready-after", type=float, default=3.0, show_envvar=True, help="Seconds from finish to the extract.")
@click.option("--list-lag", type=float, default=0.0, show_envvar=True, help="Seconds from finish to the list's row.")
@click.option(
    "--idle-limit",
    type=float,
    default=5.0,
    show_envvar=True,
    help="Seconds after which an idle connection is closed, also one that never sent a request.",
)
@click.option("--list-page-max", type=int, default=50, show_envvar=True, help="Most rows on a page of the list.")
@click.option("--list-order", type=_choice(ListOrder), default="newest", show_envvar=True, help="Order of its rows.")
@click.option(
    "--list-last/--no-list-last", default=True, show_envvar=True, help="Whether pages say which of them is the last."
)
@click.option("--session-ttl", type=float, default=3600.0, show_envvar=True, help="Seconds a login lasts.")
@click.option(
    "--finish-answer",
    type=_choice(FinishAnswer),
    default="text",
    show_envvar=True,
    help="What finish says: the number as text or as a JSON string, no number, or one that is wrong.",
)
@click.option(
    "--key-answer", type=_choice(KeyAnswer), default="json", show_envvar=True, help="How the access key is printed."
)
@click.option(
    "--duplicate-guid",
    type=_choice(DuplicateGuid),
    default="second",
    show_envvar=True,
    help="A repeated finish: a second order and charge, the same answer again, or 400.",
)
@click.option(
    "--min-interval",
    type=float,
    default=0.0,
    show_envvar=True,
    help="Seconds from start to start of an account's calls, else 429; 0 is no limit.",
)
@click.option(
    "--daily-quota", type=int, default=0, show_envvar=True, help="Calls of an account a Moscow day; 0 is no limit."
)
@click.option(
    "--refund-rejected/--no-refund-rejected",
    default=False,
    show_envvar=True,
    help="Whether a refusal gives the point back.",
)
@click.option(
    "--maintenance", type=_Window(), show_envvar=True, help="Daily window of the maintenance page, Moscow time."
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_envvar=True,
    help="On stderr; at info one line a call.",
)
def main(
    host: str,
    port: int,
    port_file: Path | None,
    account_options: tuple[str, ...],
    accounts_file: Path | None,
    state: Path | None,
    seed: int,
    unknown: tuple[str, ...],
    annulled: tuple[str, ...],
    spelling: tuple[str, ...],
    notice: tuple[str, ...],
    rejected: tuple[str, ...],
    latency: tuple[float, float],
    ready_after: float,
    list_lag: float,
    idle_limit: float,
    list_page_max: int,
    list_order: str,
    list_last: bool,
    session_ttl: float,
    finish_answer: str,
    key_answer: str,
    duplicate_guid: str,
    min_interval: float,
    daily_quota: int,
    refund_rejected: bool,
    maintenance: Maintenance | None,
    log_level: str,
) -> None:
    """Stand in for the portal of Rosreestr: log in, search, order, pay, list and download, all on this machine.

    Every cadastral number that looks valid exists, but those given by --unknown. What was charged is in the ledger, GET
    /_simulator/ledger; a repeated finish charges twice, so that paying twice shows. Faults are ordered while it runs,
    by POST /_simulator/faults.
    """
    logs.configure(log_level)
    try:
        settings = Settings(
            latency_min_s=latency[0],
            latency_max_s=latency[1],
            ready_after_s=ready_after,
            list_lag_s=list_lag,
            idle_limit_s=idle_limit,
            list_page_max=list_page_max,
            list_order=ListOrder(list_order),
            list_says_last=list_last,
            seed=seed,
            session_ttl_s=session_ttl,
            finish_answer=FinishAnswer(finish_answer),
            key_answer=KeyAnswer(key_answer),
            duplicate_guid=DuplicateGuid(duplicate_guid),
            min_interval_s=min_interval,
            daily_quota=daily_quota,
            refund_rejected=refund_rejected,
            maintenance=maintenance,
        )
        known = [accounts.from_option(text, seed=seed) for text in account_options]
        if accounts_file is not None:
            known += accounts.from_file(accounts_file, seed=seed)
        book = accounts.AccountBook(known)
        rules = objects.ObjectRules(
            unknown=objects.keys_of(unknown, option="--unknown"),
            annulled=objects.keys_of(annulled, option="--annulled"),
            notice=objects.keys_of(notice, option="--notice"),
            outcomes=dict.fromkeys(objects.keys_of(rejected, option="--rejected"), objects.Outcome.REJECTED),
            spellings={
                cadnum.key_of(cad_num): cad_num
                for cad_num in spelling
                if objects.keys_of([cad_num], option="--spelling")
            },
        )
        with runtime.opened(settings, book, rules, state) as simulator, server.listen(host, port) as sock:
            _announce(host, sock.getsockname()[1], port_file)
            server.serve(simulator, sock)
    except errors.BadSettings as exc:
        raise click.UsageError(str(exc)) from exc
    except errors.StartRefused as exc:
        raise click.ClickException(str(exc)) from exc


def _announce(host: str, port: int, port_file: Path | None) -> None:
    shown = f"[{host}]" if ":" in host else host
    click.echo(json.dumps({"event": "listening", "url": f"http://{shown}:{port}", "port": port, "pid": os.getpid()}))
    if port_file is not None:
        server.write_port_file(port_file, port)


if __name__ == "__main__":
    main()
