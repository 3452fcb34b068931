"""The other views as screens for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from rosq.inspect.ages import tell_set_back
from rosq.inspect.draw.screen import LEVEL_STYLES, VERDICT_STYLES, heading, make_table, state_text
from rosq.inspect.finding import LEVELS, sentence
from rosq.inspect.words import counted, due, duration, in_zone, lease, moment, shown, stamp, zone_name

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rosq.inspect.doctor.examination import Diagnosis
    from rosq.inspect.events import EventsView
    from rosq.inspect.job.explain import Explanation
    from rosq.inspect.job.job_view import JobView
    from rosq.inspect.job.timeline import EventView
    from rosq.inspect.jobs.failures import ErrorsView
    from rosq.inspect.jobs.listing import JobsView
    from rosq.inspect.jobs.pending import PendingList
    from rosq.inspect.jobs.rows import JobRow
    from rosq.inspect.throughput import Step, Throughput


def draw_explanation(told: Explanation | JobView) -> RenderableType:
    """Draw the sentences: where it stands, why, what next."""
    bad = told.is_inconsistent or told.state == "unknown"
    text = Text(told.verdict, "bold red" if bad else "bold")
    for reason in told.reasons:
        text.append(f"\n  · {reason}", "not bold default")
    text.append("\nNext: ", "bold default")
    text.append(told.next, "not bold default")
    if told.next_at is not None and told.next_at > told.seen_at and stamp(told.next_at) not in told.next:
        text.append(f" ({stamp(told.next_at)})", "not bold dim")
    return text


def draw_job(job: JobView) -> RenderableType:
    """Draw one job: the explanation first, then facts, hand-outs and events."""
    parts: list[RenderableType] = [draw_explanation(job), Text()]
    facts = [
        ("state", state_text(job.state)),
        ("lane", job.lane),
        ("attempts failed", str(job.attempts)),
        ("crashes in a row", str(job.crashes)),
        ("fence", str(job.fence) if job.fence else None),
        ("worker", job.worker),
        ("put on the queue", moment(job.created_at) if job.created_at else None),
        ("due", moment(job.due_at) if job.due_at else None),
        ("last started", moment(job.started_at) if job.started_at else None),
        ("finished", moment(job.finished_at) if job.finished_at else None),
        ("last error", job.last_error),
        ("cancelling", _cancelling(job)),
        ("progress", _progress(job)),
        ("can't be read", ", ".join(job.unreadable) + ": `rosq repair` mends it" if job.unreadable else None),
    ]
    if job.data is not None:
        facts.append(("data", json.dumps(job.data, ensure_ascii=False)))
    elif job.data_bytes:
        facts.append(("data", f"{counted(job.data_bytes, 'byte')}; --show-data prints them"))
    if job.log is None and job.log_lines:
        facts.append(("log", f"{counted(job.log_lines, 'line')}; --show-data prints the last ones"))
    if job.state != "unknown":
        parts.append(make_table(["", ""], [(Text(name, "dim"), value) for name, value in facts if value is not None]))
        parts.append(Text())
    if job.log:
        parts.append(heading("Log", shown(len(job.log), job.log_lines)))
        parts.append(make_table([f"at ({zone_name()})", "line"], [(moment(line.at), line.text) for line in job.log]))
        parts.append(Text())
    if job.deliveries:
        parts += [*_draw_deliveries(job), Text()]
    if job.state == "unknown" and not job.events:
        return Group(parts[0])
    kept = "" if job.is_timeline_whole else "; older ones are no longer kept"
    parts.append(Text(f"Events ({len(job.events)}{kept})", "bold"))
    parts.append(_events_table(job.events, with_job=False))
    return Group(*parts)


def _draw_deliveries(job: JobView) -> list[RenderableType]:
    rows = [
        (
            each.worker,
            moment(each.started_at),
            duration(each.duration_s),
            each.outcome
            if each.count == 1
            else f"{each.outcome} × {each.count:,} since {moment(each.first_started_at)}",
            each.fence,
            each.error_class or "",
            each.error or "",
        )
        for each in job.deliveries
    ]
    total = sum(each.count for each in job.deliveries)
    dropped = f", {job.deliveries_dropped:,} more not kept" if job.deliveries_dropped else ""
    columns = ["handed to", f"at ({zone_name()})", "for", "outcome", "fence", "class", "error"]
    parts: list[RenderableType] = [
        Text(f"Hand-outs ({total:,}{dropped})", "bold"),
        make_table(columns, rows, right=["for"]),
    ]
    for each in job.deliveries:
        if each.trace:
            parts.append(Text(f"Trace of {moment(each.started_at)}", "dim"))
            parts.append(Padding(Text(each.trace), (0, 0, 0, 2), expand=False))
    return parts


def _cancelling(job: JobView) -> str | None:
    if job.cancel_by is None:
        return None
    when = f" at {stamp(job.cancel_asked_at)}" if job.cancel_asked_at else ""
    return f"asked for by {job.cancel_by}{when}: {job.cancel_reason}"


def _progress(job: JobView) -> str | None:
    if job.progress_at is None:
        return None
    if job.progress is None and job.is_progress_hidden:
        return f"reported at {moment(job.progress_at)}; --show-data prints it"
    return f"{json.dumps(job.progress, ensure_ascii=False)}, at {moment(job.progress_at)}"


def draw_jobs(view: JobsView) -> RenderableType:
    """Draw a list of jobs, with the columns that its states have."""
    states = {row.state.value for row in view.jobs}
    columns = ["job", "state", "lane", "age", "attempts"]
    optional = {
        "crashes": any(row.crashes for row in view.jobs),
        "due": "delayed" in states,
        "worker": bool(states & {"active", "failed", "completed", "cancelled"}),
        "lease left": "active" in states,
        "last error": any(row.last_error for row in view.jobs),
    }
    columns += [name for name, is_there in optional.items() if is_there]
    rows = [[_cell(row, name) for name in columns] for row in view.jobs]
    more = f"{len(view.jobs):,} of {view.count:,} shown" + (
        f", {view.looked_at:,} looked at" if view.looked_at < view.count else ""
    )
    parts: list[RenderableType] = [
        heading("Jobs" if view.view == "jobs" else "Delayed", f"{more}  ·  {view.queue}  {stamp(view.seen_at)}")
    ]
    if rows:
        parts.append(make_table(columns, rows, right=["age", "attempts", "crashes", "lease left"]))
    if view.is_cut:
        parts.append(Text("Looking stopped at its bound: --scan looks at more, --cursor goes on.", "yellow"))
    if view.cursor:
        parts.append(Text(f"More: --cursor {view.cursor}", "dim", no_wrap=True, overflow="fold"))
    return Group(*parts)


def draw_pending(view: PendingList) -> RenderableType:
    """Draw what is handed out."""
    columns = ["job", "lane", "owner", "idle", "hand-outs", "lease left", "crashes", "verdict", "entry"]
    rows = [
        (
            each.job_id or "–",
            each.lane,
            each.owner,
            duration(each.idle_s),
            str(each.deliveries),
            lease(each.lease_left_s),
            str(each.crashes),
            Text(each.verdict, VERDICT_STYLES.get(each.verdict, "")),
            each.entry_id,
        )
        for each in view.pending
    ]
    title = heading("Pending", f"{shown(len(rows), view.count)}  ·  {view.queue}  {stamp(view.seen_at)}")
    right = ["idle", "hand-outs", "lease left", "crashes"]
    if view.clock_set_back_s is not None:
        title.append(f"\n  {sentence(tell_set_back(view.clock_set_back_s))}", "red")
    return Group(title, make_table(columns, rows, right=right)) if rows else title


def draw_errors(view: ErrorsView) -> RenderableType:
    """Draw the groups of errors."""
    rows = [
        (
            each.kind,
            f"{each.failed:,}",
            f"{each.retrying:,}",
            moment(each.first_at),
            moment(each.last_at),
            each.sample_job_id,
            each.sample_error,
        )
        for each in view.groups
    ]
    columns = ["kind", "failed", "retrying", f"first ({zone_name()})", f"last ({zone_name()})", "job", "its error"]
    looked = f"{view.looked_at:,} of {view.count:,} failed and delayed jobs looked at"
    title = heading("Errors", f"{counted(len(rows), 'kind')}  ·  {looked}  ·  {view.queue}")
    parts: list[RenderableType] = [title]
    if rows:
        parts.append(make_table(columns, rows, right=["failed", "retrying"]))
    if view.is_cut:
        parts.append(Text("Looking stopped at its bound: --scan looks at more.", "yellow"))
    return Group(*parts)


def draw_events(view: EventsView) -> RenderableType:
    """Draw events, oldest first."""
    title = heading("Events", f"{shown(len(view.events), view.count)}  ·  {view.queue}  {stamp(view.seen_at)}")
    return Group(title, _events_table(view.events, with_job=True))


def draw_event_line(event: EventView) -> Text:
    """Draw one event as a line of a growing list."""
    text = Text(f"{in_zone(event.at):%H:%M:%S.%f}"[:-3], "dim")
    text.append(f"  {event.event:<13}", "not dim")
    text.append(f"  {event.job_id or '–'}  ", "bold not dim")
    text.append(_facts(event), "not bold not dim")
    return text


def draw_diagnosis(view: Diagnosis) -> RenderableType:
    """Draw what was found: what needs doing first."""
    style = {"OK": "bold green", "WARNINGS": "bold yellow", "ERRORS": "bold red"}[view.verdict]
    title = Text.assemble((view.verdict, style), "  queue ", (view.queue, "bold"))
    title.append(f"  {stamp(view.seen_at)}", "dim")
    parts: list[RenderableType] = [title]
    for each in sorted(view.findings, key=lambda finding: LEVELS.index(finding.level)):
        text = Text(f"{each.level:<8}", LEVEL_STYLES[each.level])
        text.append(f"{each.subject:<13}", "default not bold")
        text.append(each.seen, "default not bold")
        parts.append(text)
        if each.advice:
            parts.append(Padding(Text(f"→ {each.advice}", "dim"), (0, 0, 0, 21), expand=False))
    return Group(*parts)


def draw_throughput(view: Throughput) -> RenderableType:
    """Draw what finished, step by step."""
    totals = (
        f"ever: {view.enqueued_total:,} enqueued, {view.reopened_total:,} reopened, "
        f"{view.completed_total:,} completed, {view.failed_total:,} failed, {view.cancelled_total:,} cancelled"
    )
    parts: list[RenderableType] = [heading("Throughput", f"{view.queue}  ·  {totals}")]
    columns = throughput_columns()
    parts.append(make_table(columns, list_throughput_rows(view), right=columns[1:4]))
    if not all(step.is_whole for step in view.steps):
        parts.append(Text("+: some that finished then are forgotten by now.", "dim"))
    return Group(*parts)


def throughput_columns() -> list[str]:
    """The columns of `list_throughput_rows`."""
    return [f"from ({zone_name()})", "completed", "failed", "cancelled", ""]


def list_throughput_rows(view: Throughput) -> list[tuple[str | Text, ...]]:
    """A row for each step: when it began, what finished in it, and a bar of all that did."""
    most = max((_finished(step) for step in view.steps), default=0)
    return [
        (
            f"{in_zone(step.begins_at):%Y-%m-%d %H:%M}",
            f"{step.completed:,}" + ("" if step.is_whole else "+"),
            Text(f"{step.failed:,}" + ("" if step.is_whole else "+"), "red" if step.failed else ""),
            f"{step.cancelled:,}" + ("" if step.is_whole else "+"),
            "█" * round(20 * _finished(step) / most) if most else "",
        )
        for step in view.steps
    ]


def _finished(step: Step) -> int:
    return step.completed + step.failed + step.cancelled


def _cell(row: JobRow, name: str) -> str | Text:
    if name == "state":
        return state_text(row.state.value)
    if name == "due":
        return due(row.due_in_s)
    return {
        "job": row.job_id,
        "lane": row.lane,
        "age": duration(row.age_s),
        "attempts": str(row.attempts),
        "crashes": str(row.crashes),
        "worker": row.worker or "–",
        "lease left": lease(row.lease_left_s),
        "last error": row.last_error or "",
    }[name]


def _events_table(events: list[EventView], *, with_job: bool) -> RenderableType:
    columns = [f"at ({zone_name()})", "event", *(["job"] if with_job else []), "facts"]
    rows = [
        (
            f"{in_zone(each.at):%Y-%m-%d %H:%M:%S.%f}"[:-3],
            each.event,
            *([each.job_id or "–"] if with_job else []),
            _facts(each),
        )
        for each in events
    ]
    return make_table(columns, rows)


def _facts(event: EventView) -> str:
    return "  ".join(f"{key}={value}" for key, value in event.facts.items() if value != "")
