"""What Kubernetes puts into the environment of each pod, under names that are ours as well.

A Service named `redis` becomes `REDIS_PORT=tcp://10.43.1.9:6379` in every pod of its namespace that is started after
it (Docker's old links do the same), whatever anybody meant by `REDIS_PORT`. It is the address of that Service, so it is
taken as what it is: its port where a port is wanted, its host where no host is named.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_LINK: Final = re.compile(r"tcp://(?:\[(?P<address>[0-9A-Fa-f:]+)\]|(?P<host>[^\[\]/:@]+)):(?P<port>[0-9]{1,5})/?")


class ServiceLink(NamedTuple):
    """The address of a Service."""

    host: str
    port: int


def find_service_link(text: str | None) -> ServiceLink | None:
    """Return the address where the value of a `…_PORT` is one that the platform set; None where a person did."""
    match = _LINK.fullmatch((text or "").strip())
    if match is None or not 0 < int(match["port"]) < 65536:
        return None
    return ServiceLink(match["address"] or match["host"], int(match["port"]))
