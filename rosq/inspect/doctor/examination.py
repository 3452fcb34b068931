"""Examining a server and a queue on it: what is wrong, and what to do about it."""

from __future__ import annotations

import dataclasses
import statistics
import time
from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq.connection.translating import is_wrong_type
from rosq.inspect import overview as overviews
from rosq.inspect.doctor import key_check
from rosq.inspect.doctor.server_check import ServerCheck
from rosq.inspect.finding import ERROR, NOTE, OK, WARNING, Finding, mib
from rosq.inspect.verdict import SERVER_SUBJECTS, judge_server, name_server
from rosq.inspect.view import View, at, server_now
from rosq.inspect.words import counted, duration
from rosq.store.fields import read_whole
from rosq.store.fitness import check_schema

if TYPE_CHECKING:
    from rosq.connection.wire import Wire
    from rosq.store.keys import Keys

_PINGS = 30
_SLOW_S = 0.01
_SKEW_S = 2.0
_FULL_SHARE = 0.8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis(View):
    """What `rosq doctor` shows."""

    #: OK, WARNINGS or ERRORS.
    verdict: str
    findings: list[Finding]
    #: Whether an invariant of the queue is broken.
    is_inconsistent: bool


class Doctor:
    """One examination; it only reads.

    Args:
        wire: To the same server; for what the repair looks for, too.
        scan: Keys, entries and members of each kind that are looked at, at most.
    """

    def __init__(self, client: Any, wire: Wire, keys: Keys, address: str, *, scan: int) -> None:
        self._client = client
        self._wire = wire
        self._keys = keys
        self._address = address
        self._scan = scan
        self._findings: list[Finding] = []
        self._info: dict[str, Any] = {}

    def examine(self) -> Diagnosis:
        """Look at everything.

        Raises:
            QueueNewer: A newer rosq has written the queue.
        """
        self._info = self._client.info("everything")
        now_s = server_now(self._client)
        self._findings += judge_server(self._info)
        self._check_server()
        self._check_latency()
        is_inconsistent = self._examine_queue()
        levels = {finding.level for finding in self._findings}
        return Diagnosis(
            view="doctor",
            queue=self._keys.queue,
            seen_at=at(now_s),
            verdict="ERRORS" if ERROR in levels else "WARNINGS" if WARNING in levels else "OK",
            findings=self._findings,
            is_inconsistent=is_inconsistent,
        )

    def _examine_queue(self) -> bool:
        """Look at all that is the queue's; True if an invariant is broken."""
        self._refuse_newer()
        checked = key_check.check(self._keys, self._wire, scan=self._scan)
        is_inconsistent = self._tell_of_keys(checked)
        if checked.is_blocked:
            self._add(NOTE, "keys", "Nothing else of the queue was looked at, since such a key is in the way.")
            return True
        return self._check_readable_queue() or is_inconsistent

    def _refuse_newer(self) -> None:
        # First: of which type its keys are is a newer rosq's own business.
        try:
            found = self._client.hget(self._keys.meta, "schema_version")
        except redis_errors.ResponseError as error:
            if not is_wrong_type(error):
                raise
        else:
            # What is no number there is told with all else that can't be read.
            check_schema(None if read_whole(found) is None else found, self._keys)

    def _check_readable_queue(self) -> bool:
        overview = overviews.look(self._client, self._keys, self._address)
        # What the overview finds wrong is found wrong here too, and no other way.
        self._findings += [each for each in overview.findings if each.subject not in SERVER_SUBJECTS]
        self._check_clock()
        self._findings += ServerCheck(self._client, self._keys, self._info, overview).run()
        self._check_workers(overview)
        self._check_queue(overview)
        return bool(overview.inconsistencies)

    def _add(self, level: str, subject: str, seen: str, advice: str | None = None) -> None:
        self._findings.append(Finding(level=level, subject=subject, seen=seen, advice=advice))

    # -- the server ----------------------------------------------------------------------------------------------------

    def _is_well(self, subject: str) -> bool:
        """Whether nothing was found wrong with it so far."""
        return all(each.subject != subject for each in self._findings)

    def _check_server(self) -> None:
        if self._is_well("version"):
            self._add(OK, "version", f"The server is {name_server(self._info)}.")
        if self._is_well("eviction"):
            self._check_evicted()
        if self._is_well("memory"):
            self._check_memory()
        if self._is_well("persistence"):
            self._check_persistence()
        if self._is_well("replication"):
            self._check_replication()

    def _check_evicted(self) -> None:
        evicted = int(self._info.get("evicted_keys", 0))
        if evicted:
            keys = counted(evicted, "key was", "keys were")
            seen = f"{keys} evicted since the server started, under another policy than now."
            self._add(WARNING, "eviction", seen, "Look for lost jobs: compare with what was put on the queue.")
        else:
            self._add(OK, "eviction", "Nothing is evicted (maxmemory-policy is noeviction).")

    def _check_memory(self) -> None:
        used, limit = int(self._info.get("used_memory", 0)), int(self._info.get("maxmemory", 0))
        total = int(self._info.get("total_system_memory", 0))
        if not limit and total and used >= total * _FULL_SHARE:
            seen = f"No maxmemory is set, and {used / total:.0%} of the machine's memory is used."
            self._add(WARNING, "memory", seen, "Free some, or the machine will kill the server.")
        else:
            of = f" of {mib(limit)}" if limit else ", no maxmemory is set"
            self._add(OK, "memory", f"{mib(used)} used{of}.")

    def _check_persistence(self) -> None:
        info = self._info
        is_aof = bool(info.get("aof_enabled", 0))
        fsync = self._config("appendfsync")
        save = self._config("save")
        if is_aof and fsync == "no":
            seen = "AOF is on, but appendfsync is no: a crash of the machine loses half a minute or so."
            self._add(WARNING, "persistence", seen, "Set appendfsync to everysec, or always.")
        elif is_aof:
            loses = {"everysec": "a crash of the machine loses a second at most", "always": "nothing is lost"}
            how = f" (appendfsync {fsync}: {loses[fsync]})" if fsync in loses else ""
            self._add(OK, "persistence", f"AOF is on{how}.")
        else:
            how = "only snapshots are made" if save else "nothing is written to disk"
            if save is None:
                how = "at most snapshots are made"
            seen = f"AOF is off, {how}: a restart loses the jobs since the last snapshot, or all."
            advice = "Set appendonly yes and appendfsync everysec, unless producers put lost jobs back by themselves."
            self._add(WARNING, "persistence", seen, advice)

    def _check_replication(self) -> None:
        info = self._info
        replicas = [value for key, value in info.items() if key.startswith("slave") and isinstance(value, dict)]
        if not replicas:
            seen = "The server has no replica: if its disk is lost, so are the jobs."
            self._add(NOTE, "replication", seen, "Run one, unless producers put lost jobs back by themselves.")
            return
        lags = [int(replica.get("lag", 0)) for replica in replicas]
        level = WARNING if max(lags) > 10 or any(replica.get("state") != "online" for replica in replicas) else OK
        advice = "Look at the replica's log and the network." if level == WARNING else None
        self._add(
            level, "replication", f"{counted(len(replicas), 'replica')}, the slowest {max(lags)} s behind.", advice
        )

    def _check_latency(self) -> None:
        times = []
        for _ in range(_PINGS):
            begun = time.monotonic()
            self._client.ping()
            times.append(time.monotonic() - begun)
        middle, worst = statistics.median(times), max(times)
        seen = f"{_PINGS} pings: {middle * 1000:.2f} ms in the middle, {worst * 1000:.2f} ms at worst."
        is_slow = middle > _SLOW_S
        advice = "Look at SLOWLOG GET, at other users of the server, and at the network." if is_slow else None
        self._add(WARNING if is_slow else OK, "latency", seen, advice)

    def _check_clock(self) -> None:
        begun = time.time()
        now_s = server_now(self._client)
        ended = time.time()
        skew_s = now_s - (begun + ended) / 2
        if abs(skew_s) > _SKEW_S:
            seen = f"The server's clock is {duration(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} this one."
            advice = "Synchronise both. rosq goes by the server's alone; log lines won't fit together."
            self._add(WARNING, "clock", seen, advice)
        elif self._is_well("clock"):
            self._add(OK, "clock", f"The server's clock and this one are {abs(skew_s) * 1000:.0f} ms apart.")

    def _config(self, name: str) -> str | None:
        """A setting; None where the server doesn't tell (managed ones don't)."""
        try:
            found = self._client.config_get(name)
        except (redis_errors.NoPermissionError, redis_errors.ResponseError):
            return None
        value = found.get(name)
        return None if value is None else str(value)

    # -- the queue -----------------------------------------------------------------------------------------------------

    def _tell_of_keys(self, checked: key_check.Checked) -> bool:
        """Tell of half-states; True if one is proven."""
        for told in checked.told:
            self._add(ERROR if told.is_proven else WARNING, "keys", told.seen, told.advice)
        if not checked.told:
            self._add(OK, "keys", f"Jobs and entries fit together: {checked.looked_at}.")
        if checked.cut:
            more = f"Looked at a part only ({', '.join(checked.cut)}): a part is all that was checked."
            self._add(NOTE, "keys", more, "Give --scan a greater number to look at more.")
        return any(told.is_proven for told in checked.told)

    def _check_workers(self, overview: overviews.Overview) -> None:
        alive = [worker for worker in overview.workers if worker.state != "lost"]
        silent = [worker.name for worker in overview.workers if worker.state == "lost" and worker.job_id is None]
        if silent:
            seen = f"{len(silent)} left without a word and hold nothing: {', '.join(silent[:5])}."
            self._add(NOTE, "workers", seen, "Start them again if they should run; else they are forgotten in an hour.")
        if alive:
            busy = sum(worker.state == "busy" for worker in alive)
            self._add(OK, "workers", f"{counted(len(alive), 'worker is', 'workers are')} there, {busy} busy.")
        elif self._is_well("workers"):
            self._add(NOTE, "workers", "No worker is there.", "Start one.")

    def _check_queue(self, overview: overviews.Overview) -> None:
        if overview.failed:
            seen = f"{counted(overview.failed, 'failed job is', 'failed jobs are')} kept."
            self._add(NOTE, "failed", seen, "`rosq inspect errors` groups them, `rosq retry` starts them again.")
