"""`orders-service orders export`, `bundle` and `summary`: what came of orders, many at once or in short."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orders_service.commands import extract_file
from orders_service.commands.client import TIMEOUT_S, connected
from orders_service.commands.language import tr
from orders_service.commands.order_filters import filter_options
from orders_service.commands.order_output import EXIT_CODES, json_option, order_id_argument
from orders_service.commands.output import as_json, print_facts, print_json, print_table, say
from orders_service.v1 import orders_pb2 as v1
from rosq.commands.values import MAX_ID

if TYPE_CHECKING:
    from orders_service.commands.context import Context

#: Made and sent in one call: a hundred thousand orders take a while.
_TIMEOUT_S: Final = TIMEOUT_S * 30
_FORMATS: Final = {".xlsx": v1.EXPORT_FORMAT_XLSX, ".csv": v1.EXPORT_FORMAT_CSV}
_ANSWERS: Final = {
    v1.HOLDERS_ANSWER_NAMED: "named",
    v1.HOLDERS_ANSWER_HIDDEN: "a right is registered, its holder is hidden",
    v1.HOLDERS_ANSWER_NONE: "no right is registered",
}


@click.command("export", epilog=EXIT_CODES)
@click.option(
    "--to",
    "to",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write: .xlsx, or .csv as a Russian Excel opens it.",
)
@filter_options
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@click.pass_obj
def export(
    context: Context,
    to: Path,
    wanted: dict[str, Any],
    force: bool,
) -> None:
    """Write orders and what their extracts say into a table, newest first.

    \b
    Examples:
      orders-service orders export --to orders.xlsx --since 2026-11-01
      orders-service orders export --to done.csv --state completed
    """
    kind = _FORMATS.get(to.suffix.lower())
    if kind is None:
        raise click.UsageError(f"--to {to}: name a file that ends in .xlsx or .csv.")
    request = v1.ExportOrdersRequest(format=kind, **wanted)
    with connected(context.service) as client:
        parts = client.orders.ExportOrders(request, timeout=_TIMEOUT_S)
        header = next(iter(parts)).header
        extract_file.save_stream(parts, to, is_forced=force)
    say(f"{to} ({header.orders:,} {'order' if header.orders == 1 else 'orders'}, {header.size_bytes:,} bytes)")


@click.command("bundle", epilog=EXIT_CODES)
@click.argument("order_ids", type=click.IntRange(1, MAX_ID), nargs=-1, required=True, metavar="ORDER_ID…")
@click.option("--to", "to", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The ZIP to write.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@click.pass_obj
def bundle(context: Context, order_ids: tuple[int, ...], to: Path, force: bool) -> None:
    """Fetch the papers of up to 1,000 orders as one ZIP, with a list of what it holds.

    An order that has no paper yet is told in the list, and no error.

    \b
    Examples:
      orders-service orders bundle 1 2 3 --to papers.zip
    """
    with connected(context.service) as client:
        request = v1.DownloadPapersRequest(order_ids=order_ids)
        size_bytes = extract_file.save_stream(
            client.orders.DownloadPapers(request, timeout=_TIMEOUT_S), to, is_forced=force
        )
    say(f"{to} ({size_bytes:,} bytes); what it holds is in its list.")


@click.command("summary", epilog=EXIT_CODES)
@order_id_argument
@json_option
@click.pass_obj
def summary(context: Context, order_id: int, is_json: bool) -> None:
    """Show what the extract of an order says, in short. The extract itself is what counts."""
    with connected(context.service) as client:
        request = v1.GetExtractSummaryRequest(order_id=order_id)
        said = client.orders.GetExtractSummary(request, timeout=TIMEOUT_S).summary
    if is_json:
        print_json(as_json(said))
        return
    estate = said.real_estate
    print_facts(
        (
            ("extract", f"{said.number} ({said.formed_on})"),
            ("object", estate.cad_num),
            ("kind", ", ".join(one for one in (estate.kind, estate.name, estate.purpose) if one)),
            ("address", estate.address),
            ("area", f"{estate.area} м²" if estate.area else ""),
            ("measures", "; ".join(f"{one.kind} {one.value} {one.unit}".strip() for one in estate.characteristics)),
            ("floor", estate.floor),
            ("cost", f"{estate.cost} ₽" if estate.cost else ""),
            ("record", estate.status),
            ("holders", tr(_ANSWERS.get(said.answer, ""))),
        )
    )
    if said.rights:
        print_table(
            ("right", "number", "since", "share", "holders"),
            (
                (
                    right.kind,
                    right.number,
                    right.registered_on,
                    right.share,
                    ", ".join(holder.name or tr("(hidden)") for holder in right.holders) or tr("(hidden)"),
                )
                for right in said.rights
            ),
        )
    if said.encumbrances:
        print_table(
            ("encumbrance", "number", "since", "period", "in favour of"),
            (
                (
                    burden.kind,
                    burden.number,
                    burden.registered_on,
                    burden.period,
                    ", ".join(holder.name for holder in burden.holders if holder.name),
                )
                for burden in said.encumbrances
            ),
        )
