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


def read_endpoint(host: str | None, port: str | None, *, default_host: str, default_port: int) -> tuple[str, int]:
    """Return where something listens, from what its two variables say; what is empty counts as unset.

    Raises:
        ValueError: The port is none; says what it may be.
    """
    host, port = (host or "").strip(), (port or "").strip()
    if link := find_service_link(port):
        return host or link.host, link.port
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ValueError(f"must be a whole number from 1 to 65535, not {port!r}.")
    return host or default_host, int(port or default_port)
