"""`rosq repair`: mending half-states by hand."""

from __future__ import annotations

import collections
import contextlib
import sys
import time
from typing import TYPE_CHECKING

import click

from rosq import errors, facts
from rosq.commands import streams
from rosq.commands.context import EXIT_CODES, EXIT_INCONSISTENT, Target
from rosq.commands.deed import Deed, deed_options
from rosq.commands.values import Seconds
from rosq.connection.translating import is_wrong_type
from rosq.inspect.doctor.key_check import tell
from rosq.inspect.inspector import Inspector
from rosq.inspect.view import JSON_VERSION
from rosq.inspect.words import counted
from rosq.mend.half_states import MENDED_LAST, UNPROVEN, HalfState, HalfStateTally, Stage
from rosq.mend.repair import Repair
from rosq.queue import Queue
from rosq.store.keys import Keys
from rosq.store.standing import StandingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rosq.connection.wire import Wire
    from rosq.mend.half_states import FoundHalfState
    from rosq.settings import QueueSettings

#: Seconds between two lines of progress.
_PROGRESS_S = 2.0
#: Passes through the queue at most: each mends what the mends of the last one have brought to light.
_PASSES = 4
#: Half-states of a kind that JSON names.
_JSON_NAMED = 1_000


@click.command(epilog=EXIT_CODES)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in HalfState]),
    metavar="KIND",
    help="Only this kind, as `rosq doctor` names it. May be repeated.",
)
@click.option(
    "--wait",
    "wait_s",
    type=Seconds(0, 86_400),
    default=30.0,
    show_default=True,
    help="Seconds to wait for a heartbeat before a lease whose worker is gone is taken away. "
    "More than a third of the longest lease of any worker.",
)
@deed_options
@click.pass_obj
def repair(target: Target, /, deed: Deed, kinds: tuple[str, ...], wait_s: float) -> None:
    """Mend what contradicts itself: jobs without entries, entries without jobs, leases without workers, and the like.

    A key of another type than rosq's is put aside under another name, and what lay there is made anew as far as the
    other keys tell. A job whose data are there is put back to wait, never dropped. What somebody has in hand, and what
    is sound, isn't touched: each mend looks again in the very step that makes it. Workers may go on meanwhile.
    Looks at the whole queue: a million jobs take some minutes.

    Exits with 0 when nothing was to be mended, or all of it was; with 4 when --dry-run found something, or something
    was found that can't be mended.

    \b
    rosq repair --dry-run
    rosq repair --why 'restored a backup'
    rosq repair --kind stray_entry --kind entry_without_job --why 'deleted jobs by redis-cli'
    """
    chosen = {HalfState(kind) for kind in kinds} or set(HalfState)
    with Inspector(target.settings) as inspector:
        queue = target.find_queue(inspector)
    keys = Keys(queue)
    with contextlib.closing(Queue(target.settings, queue).make_wire("rosq-repair")) as wire:
        mender = Repair(keys=keys, wire=wire, kept=_look(wire, keys), by=deed.by, reason=deed.reason)
        work = _Work(mender, chosen, wait_s)
        work.go_through(is_dry=deed.is_dry)
    left = work.found if deed.is_dry else work.left
    _report(queue, deed, work, left)
    sys.exit(EXIT_INCONSISTENT if left.counts else 0)


def _look(wire: Wire, keys: Keys) -> QueueSettings:
    """What the queue keeps. What can't be read there is mended; a queue that a newer rosq has written isn't."""
    standing = StandingSettings(keys)
    try:
        standing.look(wire.call)
    except errors.QueueDamaged:
        return standing.current
    except errors.ScriptFailed as error:
        if not is_wrong_type(error):
            raise
    return standing.current


class _Work:
    """One repair of a whole queue, and what came of it."""

    def __init__(self, mender: Repair, kinds: set[HalfState], wait_s: float) -> None:
        self._mender = mender
        self._kinds = kinds
        self._wait_s = wait_s
        self.looked_at = 0
        self.found = HalfStateTally(_JSON_NAMED)
        self.mended: collections.Counter[HalfState] = collections.Counter()
        #: What can't be mended.
        self.left = HalfStateTally(_JSON_NAMED)
        #: Whether keys of another type kept from looking at the rest.
        self.is_blocked = False

    def go_through(self, *, is_dry: bool) -> None:
        """Find, and mend unless it is only to be looked; again and again, since a mend may show what it hid."""
        for _ in range(_PASSES):
            before, self.looked_at = self.mended.total(), 0
            self._go_through_once(is_dry=is_dry)
            if is_dry or self.mended.total() == before:
                return

    def _go_through_once(self, *, is_dry: bool) -> None:
        unproven: list[FoundHalfState] = []
        last: list[FoundHalfState] = []
        for finding in self._find(is_dry=is_dry):
            # The same may lie in two places; the mend of the first was for both.
            if not self.found.add(finding) or is_dry:
                continue
            if finding.kind in MENDED_LAST:
                last.append(finding)
            elif finding.kind in UNPROVEN:
                unproven.append(finding)
            else:
                self._mend(finding)
        if unproven:
            leases = counted(len(unproven), "lease whose worker is gone", "leases whose workers are gone")
            click.echo(f"Waiting {self._wait_s:g} s for a heartbeat of {leases}.", err=True)
            time.sleep(self._wait_s)
            for finding in unproven:
                self._mend(finding)
        for finding in last:
            self._mend(finding)

    def _find(self, *, is_dry: bool) -> Iterator[FoundHalfState]:
        told_s = time.monotonic()
        for page in self._mender.go_through():
            self.looked_at += page.looked_at if page.stage is not Stage.TYPES else 0
            yield from (finding for finding in page.findings if finding.kind in self._kinds)
            self.is_blocked |= any(finding.kind is HalfState.FOREIGN_KEY for finding in page.findings) and is_dry
            if self.is_blocked and page.after is not None and page.after.stage is not Stage.TYPES:
                # Nothing else can be read before they are out of the way.
                return
            if time.monotonic() - told_s > _PROGRESS_S:
                told_s = time.monotonic()
                click.echo(
                    f"Looked at {self.looked_at:,} so far ({page.stage} now), found "
                    f"{counted(self.found.counts.total(), 'half-state')}, mended {self.mended.total():,}.",
                    err=True,
                )

    def _mend(self, finding: FoundHalfState) -> None:
        if self._mender.mend(finding):
            self.mended[finding.kind] += 1
        elif finding.kind is HalfState.FOREIGN_KEY:
            self.left.add(finding)


def _report(queue: str, deed: Deed, work: _Work, left: HalfStateTally) -> None:
    lines = [f"  {told.seen}" for told in tell(work.found)]
    lines += [f"  Left: {told.seen} {told.advice}" for told in tell(work.left)]
    count, mended = work.found.counts.total(), work.mended.total()
    if not count:
        head = f"Nothing to mend in queue {queue}"
    elif deed.is_dry:
        head = f"Would mend these in queue {queue}"
    else:
        head = f"Mended {mended:,} of {counted(count, 'half-state')} in queue {queue}"
        if (healed := count - mended - left.counts.total()) > 0:
            head += f"; {healed:,} came right by themselves meanwhile"
    if work.is_blocked:
        lines.append("  Nothing else could be looked at: such keys are in the way, and are put aside first.")
    text = "\n".join([f"{head}; jobs, entries and places looked at: {work.looked_at:,}.", *lines])
    if not deed.is_json:
        click.echo(text)
        return
    told_json = {
        "version": JSON_VERSION,
        "view": "repair",
        "queue": queue,
        "is_dry_run": deed.is_dry,
        "by": deed.by,
        "reason": deed.reason,
        "text": text,
        "looked_at": work.looked_at,
        "found": work.found.counts,
        "mended": work.mended,
        "left": left.counts,
        "half_states": [
            {
                "kind": each.kind,
                "job_id": facts.clean(each.job_id) or None,
                "lane": facts.clean(each.lane) or None,
                "entry_id": each.entry_id or None,
                "key": facts.clean(each.key) or None,
            }
            for samples in work.found.samples.values()
            for each in samples
        ],
    }
    streams.say_json(told_json)
