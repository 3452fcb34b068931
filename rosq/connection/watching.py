"""Whether it pays to watch for an answer before sleeping for it: only where it comes soon, and a processor is free.

A thread that watches spares the server, which does one thing at a time, the waking of it. But it takes a processor from
whoever else wants one, for as long as the answer is on its way. So none is watched for that comes over a network: there
the way is longer than falling asleep and being woken takes. Nor where this process may use less than two processors,
one for itself and one for the server: a single core, or the share of a container.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import socket
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def is_worth_watching(connected: socket.socket) -> bool:
    """Whether answers over this connection are to be watched for. TLS can't be asked without waiting."""
    return type(connected) is socket.socket and _is_on_this_machine(connected) and count_processors() >= 2


def count_processors() -> float:
    """Processors that this process may use, by its affinity and by what its container was given."""
    # Not on macOS.
    find_affinity = getattr(os, "sched_getaffinity", None)
    count = os.cpu_count() or 1 if find_affinity is None else len(find_affinity(0))
    return min(count, _read_quota())


def _is_on_this_machine(connected: socket.socket) -> bool:
    if connected.family == socket.AF_UNIX:
        return True
    ours, theirs = connected.getsockname()[0], connected.getpeername()[0]
    address = ipaddress.ip_address(theirs.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    # One's own address is spoken to without leaving the machine, whichever it is.
    return (mapped or address).is_loopback or ours == theirs


def _read_quota() -> float:
    """Processors' worth of time that control groups allow: the least of any above this process; infinite without."""
    quotas = [math.inf]
    # Not there: no Linux, or nothing is limited.
    with contextlib.suppress(OSError):
        for line in _OWN_CGROUPS.read_text(encoding="utf-8").splitlines():
            number, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if number == "0":
                quotas += _read_quotas(_CGROUPS, path, "cpu.max")
            elif "cpu" in controllers.split(","):
                for root in (_CGROUPS / "cpu", _CGROUPS / controllers):
                    quotas += _read_quotas(root, path, "cpu.cfs_quota_us", "cpu.cfs_period_us")
    return min(quotas)


def _read_quotas(root: Path, path: str, *names: str) -> list[float]:
    """The quotas of a group and of those that it lies in. In a container the outermost may be all that is seen."""
    quotas: list[float] = []
    group = root / path.lstrip("/")
    for each in (group, *group.parents):
        if not each.is_relative_to(root):
            break
        try:
            words = " ".join((each / name).read_text(encoding="utf-8") for name in names).split()
            quota_us, period_us = (float(word) for word in words)
        except (OSError, ValueError):
            # Not there, not for us, or "max": no limit of this group.
            continue
        # The older kind says -1 where there is none.
        if quota_us > 0 and period_us > 0:
            quotas.append(quota_us / period_us)
    return quotas
