"""What each page shows: its look at the queue, its columns, its rows, and what Enter opens."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from rich.text import Text

from rosq import errors
from rosq.inspect.draw.screen import LEVEL_STYLES, UNREADABLE, VERDICT_STYLES, state_text, worker_state
from rosq.inspect.draw.views import list_throughput_rows, throughput_columns
from rosq.inspect.events import EventFilter
from rosq.inspect.finding import LEVELS
from rosq.inspect.jobs.filters import JobFilter
from rosq.inspect.throughput import STEPS_S
from rosq.inspect.words import due, duration, in_zone, lease, moment, shown
from rosq.job import JobState
from rosq.top.glance import Glance, Listing, Page, Row, Wanted, matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from rosq.inspect.inspector import Inspector
    from rosq.inspect.overview import Overview
    from rosq.top.examiner import Examiner

#: Rows of a page, at most; and jobs that are looked at for those that a filter wants.
_MAX_ROWS = 200
_MAX_LOOKED_AT = 2_000
_MAX_QUEUES = 50
_MAX_EVENTS = 500
#: Minutes, hours or days of the throughput.
_STEPS = 60
#: Pages that there are all the same where a queue can't be looked at, by the reason.
_PAGES_LEFT = {errors.QueueDamaged: (Page.QUEUES, Page.DOCTOR), errors.QueueNewer: (Page.QUEUES,)}


def look(inspector: Inspector, examiner: Examiner, wanted: Wanted) -> Glance:
    """Look at what is wanted.

    Raises:
        RosqError: The server can't be reached, or the queue can't be read; look again later.
    """
    if wanted.queue is None:
        queues = inspector.list_queues()
        if len(queues) == 1:
            wanted = dataclasses.replace(wanted, queue=queues[0])
        else:
            wanted = dataclasses.replace(wanted, page=Page.QUEUES, job_id=None)
    overview = unreadable = None
    if wanted.queue is not None:
        try:
            overview = inspector.look(wanted.queue)
        except (errors.QueueDamaged, errors.QueueNewer) as error:
            if wanted.page not in _PAGES_LEFT[type(error)]:
                raise
            unreadable = error
    job = None
    if wanted.queue is not None and wanted.job_id is not None:
        job = inspector.view_job(wanted.queue, wanted.job_id)
    pattern = _compile(wanted.filter)
    if wanted.page is Page.QUEUES:
        listing = _list_queues(inspector, pattern)
    elif wanted.page is Page.DOCTOR:
        listing = _list_findings(examiner, wanted, pattern)
    else:
        assert overview is not None
        listing = _PAGES[wanted.page](inspector, wanted, overview, pattern)
    return Glance(wanted=wanted, overview=overview, listing=listing, error=unreadable, job=job)


def _compile(text: str) -> re.Pattern[str] | None:
    """A regular expression; what isn't one (it may be half typed) is looked for as it stands."""
    if not text:
        return None
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error:
        return re.compile(re.escape(text), re.IGNORECASE)


def _filtered(columns: list[str], rows: list[Row], pattern: re.Pattern[str] | None, count: int) -> Listing:
    left = [row for row in rows if matches(pattern, row.cells)]
    return Listing(columns=columns, rows=left, note=shown(len(left), count))


def _list_queues(inspector: Inspector, pattern: re.Pattern[str] | None) -> Listing:
    columns = ["queue", "verdict", "waiting", "active", "delayed", "failed", "completed", "oldest waiting", "workers"]
    view = inspector.look_at_all(limit=_MAX_QUEUES)
    rows = [
        Row(
            key=each.queue,
            cells=(
                each.queue,
                Text("PAUSED" if each.pause else each.verdict, "green" if each.verdict == "OK" else "red"),
                f"{each.waiting:,}",
                f"{each.active:,}",
                f"{each.delayed:,}",
                f"{each.failed:,}",
                f"{each.completed:,}",
                duration(each.oldest_waiting_s),
                str(sum(worker.state != "lost" for worker in each.workers)),
            ),
            opens=Wanted(page=Page.JOBS, queue=each.queue),
        )
        for each in view.queues
    ]
    rows += [
        Row(
            key=each.queue,
            cells=(each.queue, UNREADABLE[each.verdict], *("–" for _ in columns[2:])),
            # The doctor names what is damaged. Of a newer queue no page can be had, and the head says why.
            opens=Wanted(page=Page.DOCTOR if each.verdict == "DAMAGED" else Page.JOBS, queue=each.queue),
        )
        for each in view.unreadable
    ]
    return _filtered(columns, sorted(rows, key=lambda row: row.key), pattern, view.count)


def _list_jobs(inspector: Inspector, wanted: Wanted, _: Overview, pattern: re.Pattern[str] | None) -> Listing:
    assert wanted.queue is not None
    only = JobFilter(states=(wanted.state,), text=pattern)
    view = inspector.list_jobs(wanted.queue, only, limit=_MAX_ROWS, scan=_MAX_LOOKED_AT)
    columns = ["job", "lane", "age", "attempts", "crashes"]
    columns += {"delayed": ["due"], "active": ["worker", "lease left"], "waiting": []}.get(wanted.state, ["worker"])
    columns.append("last error")
    rows = []
    for row in view.jobs:
        cells = {
            "job": row.job_id,
            "lane": row.lane,
            "age": duration(row.age_s),
            "attempts": str(row.attempts),
            "crashes": str(row.crashes),
            "due": due(row.due_in_s),
            "worker": row.worker or "–",
            "lease left": lease(row.lease_left_s),
            "last error": row.last_error or "",
        }
        opens = dataclasses.replace(wanted, job_id=row.job_id)
        rows.append(Row(key=row.job_id, cells=[cells[name] for name in columns], opens=opens))
    note = f"{len(rows):,} of {view.count:,} {wanted.state} jobs shown"
    if pattern is not None:
        note += f", {view.looked_at:,} looked at"
    return Listing(columns=columns, rows=rows, note=note)


def _list_workers(_: Inspector, wanted: Wanted, overview: Overview, pattern: re.Pattern[str] | None) -> Listing:
    rows = [
        Row(
            key=each.name,
            cells=(
                each.name,
                worker_state(each),
                each.job_id or "–",
                "–" if each.attempt is None else str(each.attempt),
                duration(each.running_s),
                lease(each.lease_left_s),
                moment(each.last_seen_at),
                "–" if each.pid is None else f"{each.pid} on {each.host}",
            ),
            opens=dataclasses.replace(wanted, job_id=each.job_id) if each.job_id else None,
        )
        for each in overview.workers
    ]
    columns = ["worker", "state", "job", "attempt", "since", "lease left", "last seen", "process"]
    return _filtered(columns, rows, pattern, max(overview.worker_count, len(rows)))


def _list_lanes(_: Inspector, wanted: Wanted, overview: Overview, pattern: re.Pattern[str] | None) -> Listing:
    rows = [
        Row(
            key=each.name,
            cells=(each.name, f"{each.waiting:,}", f"{each.active:,}", duration(each.oldest_waiting_s)),
            opens=Wanted(
                page=Page.JOBS, queue=wanted.queue, state=JobState.WAITING, filter=rf"\b{re.escape(each.name)}\b"
            ),
        )
        for each in overview.lanes
    ]
    return _filtered(["lane", "waiting", "active", "oldest waiting"], rows, pattern, overview.lane_count)


def _list_pending(inspector: Inspector, wanted: Wanted, _: Overview, pattern: re.Pattern[str] | None) -> Listing:
    assert wanted.queue is not None
    view = inspector.list_pending(wanted.queue, limit=_MAX_ROWS)
    rows = [
        Row(
            key=f"{each.lane} {each.entry_id}",
            cells=(
                each.job_id or "–",
                each.lane,
                each.owner,
                Text(each.verdict, VERDICT_STYLES.get(each.verdict, "")),
                duration(each.idle_s),
                str(each.deliveries),
                lease(each.lease_left_s),
                str(each.crashes),
                each.entry_id,
            ),
            opens=dataclasses.replace(wanted, job_id=each.job_id) if each.job_id else None,
        )
        for each in view.pending
    ]
    columns = ["job", "lane", "owner", "verdict", "idle", "hand-outs", "lease left", "crashes", "entry"]
    return _filtered(columns, rows, pattern, view.count)


def _list_errors(inspector: Inspector, wanted: Wanted, _: Overview, pattern: re.Pattern[str] | None) -> Listing:
    assert wanted.queue is not None
    view = inspector.group_errors(wanted.queue, since_s=None, by_text=False, scan=_MAX_LOOKED_AT)
    rows = [
        Row(
            key=each.kind,
            cells=(
                each.kind,
                Text(f"{each.failed:,}", "red" if each.failed else ""),
                f"{each.retrying:,}",
                moment(each.last_at),
                each.sample_job_id,
                each.sample_error,
            ),
            opens=Wanted(
                page=Page.JOBS,
                queue=wanted.queue,
                state=JobState.FAILED if each.failed else JobState.DELAYED,
                filter=".*".join(re.escape(part) for part in each.kind.split("…")),
            ),
        )
        for each in view.groups
    ]
    listing = _filtered(["kind", "failed", "retrying", "last", "job", "its error"], rows, pattern, len(rows))
    note = f"kinds: {listing.note}, {view.looked_at:,} of {view.count:,} failed and delayed jobs looked at"
    return dataclasses.replace(listing, note=note)


def _list_events(inspector: Inspector, wanted: Wanted, _: Overview, pattern: re.Pattern[str] | None) -> Listing:
    assert wanted.queue is not None
    view = inspector.list_events(wanted.queue, EventFilter(), limit=_MAX_EVENTS)
    rows = [
        Row(
            # Two changes that one script made share an id.
            key=f"{each.id} {each.event} {each.job_id}",
            cells=(
                f"{in_zone(each.at):%H:%M:%S.%f}"[:-3],
                state_text(each.event),
                each.job_id or "–",
                "  ".join(f"{key}={value}" for key, value in each.facts.items() if value != ""),
            ),
            opens=dataclasses.replace(wanted, job_id=each.job_id) if each.job_id else None,
        )
        for each in reversed(view.events)
    ]
    listing = _filtered(["at", "event", "job", "facts"], rows, pattern, view.count)
    return dataclasses.replace(listing, rows=listing.rows[:_MAX_ROWS])


def _list_throughput(inspector: Inspector, wanted: Wanted, _: Overview, pattern: re.Pattern[str] | None) -> Listing:
    assert wanted.queue is not None
    view = inspector.view_throughput(wanted.queue, step_s=STEPS_S[wanted.step], steps=_STEPS)
    rows = [
        Row(key=step.begins_at.isoformat(), cells=cells)
        for step, cells in zip(view.steps, list_throughput_rows(view), strict=True)
    ]
    listing = _filtered(throughput_columns(), rows, pattern, len(rows))
    more = "" if all(step.is_whole for step in view.steps) else "; +: some are forgotten by now"
    return dataclasses.replace(listing, note=f"{listing.note} {wanted.step}s{more}")


def _list_findings(examiner: Examiner, wanted: Wanted, pattern: re.Pattern[str] | None) -> Listing:
    assert wanted.queue is not None
    found = examiner.examine(wanted.queue, wanted.examination)
    columns = ["level", "subject", "seen, and → what to do"]
    if isinstance(found, errors.RosqError):
        row = Row(key="broken off", cells=(Text("failed", "bold red"), "doctor", f"{found}\n→ Press r to try again."))
        return Listing(columns=columns, rows=[row], note="broken off, r: anew", is_folded=True)
    rows = []
    for number, each in enumerate(sorted(found.findings, key=lambda finding: LEVELS.index(finding.level))):
        text = Text(each.seen)
        if each.advice:
            text.append(f"\n→ {each.advice}", "dim")
        rows.append(Row(key=f"{number}", cells=(Text(each.level, LEVEL_STYLES[each.level]), each.subject, text)))
    listing = _filtered(columns, rows, pattern, len(rows))
    note = f"{found.verdict}, findings: {listing.note}, at {in_zone(found.seen_at):%H:%M:%S}, r: anew"
    return dataclasses.replace(listing, note=note, is_folded=True)


_PAGES: dict[Page, Callable[[Inspector, Wanted, Overview, re.Pattern[str] | None], Listing]] = {
    Page.JOBS: _list_jobs,
    Page.WORKERS: _list_workers,
    Page.LANES: _list_lanes,
    Page.PENDING: _list_pending,
    Page.ERRORS: _list_errors,
    Page.EVENTS: _list_events,
    Page.PACE: _list_throughput,
}
