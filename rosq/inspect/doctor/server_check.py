"""What makes a server slow, or lets it refuse clients, before it does: slow commands, clients, memory, streams."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq.inspect.ages import span_s
from rosq.inspect.finding import NOTE, OK, WARNING, Finding, mib
from rosq.inspect.view import at
from rosq.inspect.words import counted, duration
from rosq.store.keys import GROUP

if TYPE_CHECKING:
    from rosq.inspect.overview import Overview
    from rosq.store.keys import Keys

#: A command that took longer held up every worker.
_SLOW_MS = 10.0
_SLOW_ERROR_MS = 100.0
#: Slow commands that are older aren't today's trouble.
_RECENT_S = 3_600.0
_SLOWLOG_LENGTH = 128
_SLOW_FORK_MS = 100.0
_FULL_SHARE = 0.8
_SMALL_BUFFER = 16 * 2**20
_FRAGMENTED = 1.5
_FRAGMENTED_MIN = 100 * 2**20
#: What an entry of a lane takes beside its job, and a member of a sorted set less.
_ENTRY_BYTES = 48
_SAMPLE = 20
_MAX_EVENTS = 100_000
_MAX_EVENTS_BYTES = 100 * 2**20
_MAX_CONSUMERS = 1_000
_SHORT_TIMEOUT_S = 30


class ServerCheck:
    """One look at a server and at how the queue lies on it; it only reads.

    Args:
        info: What INFO said of everything.
    """

    def __init__(self, client: Any, keys: Keys, info: dict[str, Any], overview: Overview) -> None:
        self._client = client
        self._keys = keys
        self._info = info
        self._overview = overview
        self._findings: list[Finding] = []

    def run(self) -> list[Finding]:
        """Look at everything."""
        self._check_slow_commands()
        self._check_stalls()
        self._check_headroom()
        self._check_fragmentation()
        self._check_clients()
        self._check_buffers()
        self._check_timeout()
        self._check_events()
        self._check_lanes()
        return self._findings

    def _add(self, level: str, subject: str, seen: str, advice: str | None = None) -> None:
        self._findings.append(Finding(level=level, subject=subject, seen=seen, advice=advice))

    # -- what holds it up ----------------------------------------------------------------------------------------------

    def _check_slow_commands(self) -> None:
        entries = self._ask(lambda: self._client.slowlog_get(_SLOWLOG_LENGTH))
        if entries is None:
            return
        slow = [
            (entry["duration"] / 1000, _name(entry["command"]), span_s(at(entry["start_time"]), self._overview.seen_at))
            for entry in entries
            if entry["duration"] / 1000 >= _SLOW_MS
        ]
        # Of what lies in the future, since the clock was set back, nobody knows how long ago it was.
        recent = [(took_ms, command, ago_s) for took_ms, command, ago_s in slow if (ago_s or 0.0) <= _RECENT_S]
        if not recent:
            self._add(OK, "slowlog", f"No command took over {_SLOW_MS:.0f} ms in the last hour, as far as is kept.")
            return
        worst_ms, command, ago_s = max(recent, key=lambda each: each[0])
        seen = (
            f"{counted(len(recent), 'command')} took over {_SLOW_MS:.0f} ms in the last hour; the slowest was "
            f"{command}, {worst_ms:,.0f} ms" + ("." if ago_s is None else f", {duration(ago_s)} ago.")
        )
        advice = (
            "Nothing else is answered meanwhile. See SLOWLOG GET: none of rosq's own is as slow on a server that has "
            "a core for itself; look for KEYS, large values, and other users of the server."
        )
        self._add(WARNING if worst_ms >= _SLOW_ERROR_MS else NOTE, "slowlog", seen, advice)

    def _check_stalls(self) -> None:
        fork_ms = int(self._info.get("latest_fork_usec", 0)) / 1000
        if fork_ms >= _SLOW_FORK_MS:
            seen = f"The last snapshot or rewrite of the AOF held the server up for {fork_ms:,.0f} ms while it forked."
            advice = "Turn transparent huge pages off, keep less in memory, or make snapshots on a replica."
            self._add(WARNING, "fork", seen, advice)
        delayed = int(self._info.get("aof_delayed_fsync", 0))
        if delayed:
            seen = f"The disk was too slow for the AOF {counted(delayed, 'time')}: writes waited for it."
            self._add(NOTE, "fsync", seen, "Give the server a faster disk, or one for itself.")

    # -- memory --------------------------------------------------------------------------------------------------------

    def _check_headroom(self) -> None:
        used, limit = int(self._info.get("used_memory", 0)), int(self._info.get("maxmemory", 0))
        total = int(self._info.get("total_system_memory", 0))
        roof = limit or int(total * _FULL_SHARE)
        job_bytes = self._weigh_jobs()
        if not roof or not job_bytes:
            return
        room = max(roof - used, 0) // job_bytes
        of = "maxmemory" if limit else f"{_FULL_SHARE:.0%} of the machine's memory"
        jobs, each = counted(room, "more job", "more jobs"), counted(job_bytes, "byte")
        seen = f"Room for about {jobs} of {each} each, until {of} ({mib(roof)}) is used."
        unfinished = self._overview.waiting + self._overview.delayed + self._overview.active
        if room < unfinished:
            advice = f"Less than what is on the queue now ({unfinished:,}): if it doubles, new jobs are refused."
            self._add(WARNING, "headroom", seen, advice)
        else:
            self._add(OK, "headroom", seen)

    def _weigh_jobs(self) -> int:
        """Bytes of a job that waits, hash and entry, by a few; 0 where there is none, or the server doesn't tell."""
        entries: list[Any] = []
        for lane in self._overview.lanes:
            if lane.waiting and len(entries) < _SAMPLE:
                entries += self._client.xrevrange(self._keys.lane(lane.name), count=_SAMPLE - len(entries))
        if not entries:
            return 0
        pipe = self._client.pipeline(transaction=False)
        for _, fields in entries:
            pipe.memory_usage(self._keys.job(fields.get("job_id", "")))
        sizes = self._ask(pipe.execute)
        known = [size for size in sizes or [] if size]
        data = statistics.mean(len(fields.get("data", "")) for _, fields in entries)
        return round(statistics.mean(known) + data + _ENTRY_BYTES) if known else 0

    def _check_fragmentation(self) -> None:
        used, ratio = int(self._info.get("used_memory", 0)), float(self._info.get("mem_fragmentation_ratio", 0))
        if used >= _FRAGMENTED_MIN and ratio >= _FRAGMENTED:
            seen = f"The process takes {ratio:.1f} times the {mib(used)} that are in use: memory is fragmented."
            advice = "Set activedefrag yes, or restart it (a failover to a replica costs seconds)."
            self._add(NOTE, "fragmentation", seen, advice)

    # -- clients -------------------------------------------------------------------------------------------------------

    def _check_clients(self) -> None:
        connected = int(self._info.get("connected_clients", 0))
        limit = int(self._info.get("maxclients", 0) or self._config("maxclients") or 0)
        rejected = int(self._info.get("rejected_connections", 0))
        if limit and connected >= limit * _FULL_SHARE:
            seen = f"Clients connected: {connected:,} of {limit:,} allowed: workers may find the door shut."
            advice = "Raise maxclients and the limit of open files, or find who leaves connections open: CLIENT LIST."
            self._add(WARNING, "clients", seen, advice)
        elif rejected:
            refused = counted(rejected, "connection was", "connections were")
            seen = f"{refused} refused since the server started: there were too many clients."
            self._add(NOTE, "clients", seen, "Raise maxclients, or find who leaves connections open: CLIENT LIST.")
        else:
            of = f" of {limit:,} allowed" if limit else ""
            self._add(OK, "clients", f"Clients connected: {connected:,}{of}.")

    def _check_buffers(self) -> None:
        cut = int(self._info.get("client_output_buffer_limit_disconnections", 0))
        if cut:
            clients = counted(cut, "client or replica was", "clients or replicas were")
            seen = f"{clients} cut off since the server started: answers piled up."
            advice = "Look at the server log for who; raise client-output-buffer-limit, for a replica above all."
            self._add(WARNING, "buffers", seen, advice)
        words = (self._config("client-output-buffer-limit") or "").split()
        limits = dict(zip(words[::4], words[1::4], strict=False))
        hard = int(limits.get("normal", "0"))
        if 0 < hard < _SMALL_BUFFER:
            seen = f"A client whose answer is longer than {mib(hard)} is cut off (client-output-buffer-limit normal)."
            self._add(NOTE, "buffers", seen, "Set it to 0 0 0, or above 16 MiB: long lists of jobs are larger.")

    def _check_timeout(self) -> None:
        timeout_s = int(self._config("timeout") or 0)
        if 0 < timeout_s < _SHORT_TIMEOUT_S:
            seen = (
                f"The server closes connections that are silent for {timeout_s} s: producers connect again and again."
            )
            self._add(NOTE, "timeout", seen, "Set timeout to 0, and tcp-keepalive to 300 or less.")

    # -- how the queue lies on it --------------------------------------------------------------------------------------

    def _check_events(self) -> None:
        count = int(self._client.xlen(self._keys.events))
        size = int(self._ask(lambda: self._client.memory_usage(self._keys.events)) or 0)
        if count > _MAX_EVENTS or size > _MAX_EVENTS_BYTES:
            seen = f"{counted(count, 'event is', 'events are')} kept, about {mib(size)}."
            advice = "Lower QueueSettings.max_events, the same in every process; views look at the newest 20,000."
            self._add(NOTE, "events", seen, advice)

    def _check_lanes(self) -> None:
        pipe = self._client.pipeline(transaction=False)
        names = [lane.name for lane in self._overview.lanes]
        for name in names:
            pipe.xinfo_groups(self._keys.lane(name))
        for name, groups in zip(names, pipe.execute(raise_on_error=False), strict=True):
            if isinstance(groups, Exception):
                # A lane that nobody ever put a job into, or read.
                continue
            strange = [group["name"] for group in groups if group["name"] != GROUP]
            if strange:
                seen = f"Something else reads lane {name}: consumer group {', '.join(strange)}."
                advice = "rosq deletes entries when their job is over, read by others or not: XGROUP DESTROY it."
                self._add(WARNING, "lanes", seen, advice)
            consumers = sum(int(group["consumers"]) for group in groups if group["name"] == GROUP)
            if consumers > _MAX_CONSUMERS:
                seen = f"Lane {name} has {counted(consumers, 'consumer')}: workers come under ever new names."
                advice = "Give each worker a name that it keeps over restarts; old ones are forgotten an hour after."
                self._add(NOTE, "lanes", seen, advice)

    def _config(self, name: str) -> str | None:
        found = self._ask(lambda: self._client.config_get(name)) or {}
        return None if found.get(name) is None else str(found[name])

    def _ask(self, ask: Any) -> Any:
        """The answer; None where the server doesn't tell (managed ones don't, and an ACL may forbid it)."""
        try:
            return ask()
        except (redis_errors.NoPermissionError, redis_errors.ResponseError):
            return None


def _name(command: Any) -> str:
    """The name of a command; its arguments may hold what isn't for everyone."""
    text = command.decode(errors="replace") if isinstance(command, bytes) else str(command)
    return text.split(" ", 1)[0].upper()
