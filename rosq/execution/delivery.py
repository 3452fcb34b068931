"""One hand-out of a job to a handler."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

from rosq.clock import boot_time_s
from rosq.delays import MAX_DELAY_S, check_delay
from rosq.errors import InvalidData
from rosq.signals import Cancel, Release

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rosq.connection.alarm import Alarm
    from rosq.execution.hand_out import HandOut
    from rosq.execution.lease import Lease
    from rosq.execution.notes import Notes
    from rosq.execution.stop import StopClock
    from rosq.job import CancelRequest, JobData, JsonValue
    from rosq.store.codec import Body


#: Seconds between two looks of a rest at a lease in doubt, should another thread have heard the heartbeat's ring.
_DOUBT_LOOK_S = 1.0
#: A rest of so many seconds is told to people; a shorter one is over before anybody has looked.
_TOLD_REST_S = 5.0


# Not frozen, and made by position: see `rosq.execution.settlement`.
@dataclasses.dataclass(slots=True, eq=False)
class Hold:
    """What a delivery stands on: how it was handed out, its lease, and where its handler hears of what is asked of it.
    Rosq's own: handlers have no use for it."""

    handed: HandOut
    lease: Lease
    stop: StopClock
    #: Rings when a handler that rests has to look up.
    alarm: Alarm
    #: Who keeps what is said of the work; None: nobody does.
    notes: Notes | None = None
    #: Set by the thread that hears of it, read by the handler's; None while nobody is known to have asked.
    cancel_request: CancelRequest | None = None


@dataclasses.dataclass(slots=True, eq=False, init=False)
class Delivery:
    """A job in the hands of one worker, for one run of the handler. A value: nobody changes it."""

    job_id: str
    data: JobData
    #: The lane from which it came.
    lane: str
    #: Greater than that of any earlier delivery of this job. Below 2^53.
    fence: int
    #: Random; tells this delivery from any other, whatever its fence.
    token: str
    #: Counted from 1; grows when the handler fails, not with snoozes, releases or crashes.
    attempt: int
    #: If this run fails, the job fails for good.
    is_last_attempt: bool
    #: How often in a row the job was taken from a holder that didn't settle it.
    crashes: int
    lease: Lease
    #: Which handler it is for; empty where a worker has one for all.
    name: str
    #: What the producer sent beside the data, such as a trace.
    headers: Mapping[str, str]
    #: Seconds that this run may take; None leaves it to the worker's settings.
    run_timeout_s: float | None
    hold: Hold = dataclasses.field(repr=False)

    def __init__(self, hold: Hold, carried: Body, is_last_attempt: bool) -> None:
        """Made by the worker."""
        handed = hold.handed
        self.job_id = handed.job_id
        self.data = carried.data
        self.lane = handed.lane
        self.fence = handed.fence
        self.token = handed.token
        self.attempt = handed.attempt
        self.is_last_attempt = is_last_attempt
        self.crashes = handed.crashes
        self.lease = hold.lease
        self.name = carried.name
        self.headers = carried.headers
        self.run_timeout_s = carried.run_timeout_s
        self.hold = hold

    @property
    def is_stop_requested(self) -> bool:
        """Whether the worker was asked to stop: come to an end soon, at a good place."""
        return self.hold.stop.is_requested

    @property
    def is_cancel_requested(self) -> bool:
        """Whether somebody asked for the job's cancelling: known within a third of a lease, sooner to a handler that
        reports progress or logs. If the handler returns nevertheless, the job is completed."""
        return self.hold.cancel_request is not None

    def check(self) -> None:
        """Return if work may go on. Call it before anything that can't be taken back.

        Raises:
            LeaseLost: The job may be another worker's by now: Redis said so, or nothing was heard from it for a lease.
            Cancel: Somebody asked for the job's cancelling: leave things in order and let it through.
            Release: A stop was requested and its grace is over: let it through, and the job goes back to its lane.
        """
        self.hold.lease.check()
        self._check_whats_asked()

    def sleep(self, seconds: float, why: str = "") -> None:
        """Rest without missing what `check` looks for; it is looked at before, during and after.

        Where Redis is away so long that the lease is in doubt, the rest lasts until Redis says that the job is still
        this holder's, or another's: a handler that rests outlives an outage of any length, where `check` gives it up at
        once. `sleep(0)` waits for just that.

        A rest of five seconds or more is told with the job first, as `report_rest` does.

        Args:
            seconds: By CLOCK_BOOTTIME; at least so long.
            why: For people who look at the job.

        Raises:
            LeaseLost: The job is another worker's by now, or the run timeout is over.
            Cancel: See `check`. It ends the rest at once.
            Release: See `check`.
        """
        until_s = boot_time_s() + seconds
        if _TOLD_REST_S <= seconds <= MAX_DELAY_S:
            self.report_rest(seconds, why)
        while True:
            self.hold.lease.check_not_lost()
            self._check_whats_asked()
            left_s, held_s = until_s - boot_time_s(), self.hold.lease.remaining_s()
            if left_s <= 0 < held_s:
                return
            # While it is in doubt, the heartbeat that settles that rings.
            rest_s = min(left_s, held_s) if held_s > 0 else _DOUBT_LOOK_S
            self.hold.alarm.wait(max(min(rest_s, self.hold.stop.grace_left_s()), 0.0))

    def _check_whats_asked(self) -> None:
        request = self.hold.cancel_request
        if request is not None:
            raise Cancel(request.reason)
        if self.hold.stop.grace_left_s() <= 0:
            raise Release

    def report_progress(self, value: JsonValue) -> bool:
        """Show people how far the work is; the last value stays with the job (`note.lua`).

        Any JSON will do, `0.4` or `{"page": 3, "of": 7}`. Each call is one round trip, and what was answered outlasts a
        crash: nothing is held back, since a late value would tell a watcher something that isn't so. Once a second is
        plenty. It is no sign of life: crashes and the lease go by the heartbeat alone.

        Returns:
            False if Redis gave no answer: it may be kept or not. That is logged, and no reason to fail a job.

        Raises:
            InvalidData: It isn't JSON, or longer than `QueueSettings.max_progress_bytes`.
            LeaseLost: The job isn't this delivery's any more; nothing was written.
        """
        notes = self.hold.notes
        return notes is None or notes.write(self.hold, progress=notes.encode_progress(self.job_id, value))

    def report_rest(self, seconds: float, why: str = "") -> bool:
        """Show people that the handler rests, so that nobody takes it for one that works or hangs (`note.lua`).

        `sleep` says it by itself; this is for who waits in another way. One round trip. It holds until the time is
        over, or until progress or a line of the log is reported.

        Args:
            seconds: How long it is going to rest.
            why: In a few words, without data of the job: whoever looks at the job sees it.

        Returns:
            See `report_progress`.

        Raises:
            InvalidData: It isn't a number of seconds from 0 to ten years.
            LeaseLost: See `report_progress`.
        """
        try:
            check_delay("seconds", seconds)
        except ValueError as error:
            raise InvalidData(f"Job {self.job_id}: {error}") from error
        notes = self.hold.notes
        return notes is None or notes.write(self.hold, rest_s=seconds, reason=why)

    def log(self, text: str) -> bool:
        """Keep lines with the job, each with its time, for people who look at it (`note.lua`).

        The newest are kept, `QueueSettings.max_log_lines` and `max_log_bytes` of them; control characters are spelled
        out. One round trip a call, as with `report_progress`: give many lines at once. For a log of everything use
        `logging`.

        Returns:
            See `report_progress`. A call that got no answer and is repeated may leave its lines twice.

        Raises:
            LeaseLost: See `report_progress`.
        """
        notes = self.hold.notes
        lines = notes.encode_lines(text) if notes is not None else []
        return notes is None or not lines or notes.write(self.hold, lines=lines)


class Handler(Protocol):
    """What a worker calls for each delivery.

    Returning completes the job. Any exception counts as a failed attempt, but for those of `rosq.signals`, which say
    what should become of the job, and LeaseLost, which leaves it to its next holder. It may be called again for the
    same job after any crash: look first how far the work has come.
    """

    def __call__(self, delivery: Delivery) -> None:
        """Work on the job."""
        ...
