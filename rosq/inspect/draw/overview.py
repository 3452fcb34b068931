"""The overview as one screen for people."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rosq.inspect.draw.screen import UNREADABLE, heading, make_table, worker_state
from rosq.inspect.words import due, duration, lease, shown, stamp
from rosq.settings import QueueSettings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rosq.inspect.overview import Overview, QueuesView
    from rosq.inspect.parts import WorkerView


def render(overview: Overview) -> RenderableType:
    """Draw it: the verdict first, then counts, lanes and workers."""
    return Group(
        _verdict(overview),
        Text(),
        _states(overview),
        _facts(overview),
        _settings(overview),
        Text(),
        _lanes(overview),
        Text(),
        _workers(overview),
    )


def _verdict(overview: Overview) -> Text:
    style = "bold green" if overview.verdict == "OK" else "bold red"
    text = Text.assemble((overview.verdict, style), "  queue ", (overview.queue, "bold"))
    text.append(f"  {stamp(overview.seen_at)}  {overview.server['address']}", "dim")
    for sentence in (*overview.inconsistencies, *overview.problems):
        text.append(f"\n  {sentence}", "red")
    return text


def _states(overview: Overview) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("waiting", "active", "delayed", "completed", "failed", "cancelled"):
        table.add_column(name, justify="right", header_style="dim")
    failed = Text(f"{overview.failed:,}", "red" if overview.failed else "")
    counts = (overview.waiting, overview.active, overview.delayed, overview.completed)
    table.add_row(*(f"{count:,}" for count in counts), failed, f"{overview.cancelled:,}")
    return table


def _facts(overview: Overview) -> Text:
    text = Text(f"oldest waiting {duration(overview.oldest_waiting_s)}", "dim")
    if overview.next_delayed is not None:
        due_in_s = overview.next_delayed.due_in_s
        when = "at a time that no calendar has" if due_in_s is None else due(due_in_s)
        text.append(f"  ·  next delayed job {overview.next_delayed.job_id} {when}")
    hour = f"{overview.completed_last_hour:,} completed, {overview.failed_last_hour:,} failed"
    text.append(f"  ·  last hour: {hour}")
    totals = f"{overview.enqueued_total:,} enqueued, {overview.completed_total:,} completed"
    text.append(f"  ·  ever: {totals}, {overview.failed_total:,} failed, {overview.cancelled_total:,} cancelled")
    return text


def _settings(overview: Overview) -> Text:
    usual = dataclasses.asdict(QueueSettings())
    own = [f"{name} {value:,g}" for name, value in overview.settings.items() if value != usual[name]]
    return Text("settings: " + ", ".join([*own, "else as by default" if own else "as by default"]), "dim")


def _lanes(overview: Overview) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), title_justify="left", title_style="bold")
    table.title = f"Lanes ({shown(len(overview.lanes), overview.lane_count)})"
    table.add_column("lane", header_style="dim")
    for name in ("waiting", "active", "oldest waiting"):
        table.add_column(name, justify="right", header_style="dim")
    for lane in overview.lanes:
        table.add_row(lane.name, f"{lane.waiting:,}", f"{lane.active:,}", duration(lane.oldest_waiting_s))
    return table


def _workers(overview: Overview) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), title_justify="left", title_style="bold")
    count = max(overview.worker_count, len(overview.workers))
    table.title = f"Workers ({shown(len(overview.workers), count)})"
    for name in ("worker", "state", "job", "attempt", "since", "lease left", "process"):
        is_number = name in ("attempt", "since", "lease left")
        table.add_column(name, justify="right" if is_number else "left", header_style="dim")
    for worker in overview.workers:
        table.add_row(*_worker_row(worker))
    return table


def _worker_row(worker: WorkerView) -> tuple[str | Text, ...]:
    process = f"{worker.pid} on {worker.host}" if worker.pid is not None else "–"
    return (
        worker.name,
        worker_state(worker),
        worker.job_id or "–",
        str(worker.attempt) if worker.attempt is not None else "–",
        duration(worker.running_s),
        lease(worker.lease_left_s),
        process,
    )


def draw_workers(overview: Overview) -> RenderableType:
    """Draw the workers alone."""
    return Group(_title(overview), _workers(overview))


def draw_lanes(overview: Overview) -> RenderableType:
    """Draw the lanes alone."""
    return Group(_title(overview), _lanes(overview))


def draw_queues(view: QueuesView) -> RenderableType:
    """Draw all queues of a server, one a line."""
    columns = ["queue", "verdict", "waiting", "active", "delayed", "completed", "failed", "cancelled"]
    columns += ["oldest waiting", "workers"]
    rows: list[tuple[str | Text, ...]] = [
        (
            each.queue,
            Text("PAUSED" if each.pause else each.verdict, "green" if each.verdict == "OK" else "red"),
            f"{each.waiting:,}",
            f"{each.active:,}",
            f"{each.delayed:,}",
            f"{each.completed:,}",
            f"{each.failed:,}",
            f"{each.cancelled:,}",
            duration(each.oldest_waiting_s),
            str(sum(worker.state != "lost" for worker in each.workers)),
        )
        for each in view.queues
    ]
    rows += [(each.queue, UNREADABLE[each.verdict], *("–" for _ in columns[2:])) for each in view.unreadable]
    if not rows:
        return Text("There is no queue on this Redis yet: it comes into being with its first job.")
    return Group(
        heading("Queues", shown(len(rows), view.count)),
        make_table(columns, sorted(rows, key=lambda row: str(row[0])), right=columns[2:]),
        *(Text(problem, "red") for each in view.unreadable for problem in each.problems),
    )


def _title(overview: Overview) -> Text:
    text = heading(f"queue {overview.queue}", f"{stamp(overview.seen_at)}")
    if overview.pause is not None:
        text.append(f"\n{overview.pause}", "yellow")
    return text
