"""What can go wrong in a benchmark.

BenchmarkError
├── ServerUnfit    the server can't be used for this
├── NotInstalled   a contender can't be had here
└── SideFailed     a contender's process ended, fell silent, or said something else than was asked
"""

from __future__ import annotations


class BenchmarkError(Exception):
    """The benchmark can't go on."""


class ServerUnfit(BenchmarkError):
    """The server can't be used for this; the message says why."""


class NotInstalled(BenchmarkError):
    """A contender can't be had here; the message says why."""


class SideFailed(BenchmarkError):
    """A contender's process didn't do what it was asked for."""
