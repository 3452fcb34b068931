"""What all subcommands share: where the queue is, how failures are told, exit codes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from rosq import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.inspect import Inspector
    from rosq.settings import RedisSettings

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INCONSISTENT = 4
EXIT_LIMIT = 5
EXIT_UNWRITTEN = 6

EXIT_CODES = (
    "Exit codes: 0 done, 1 failed or not all of it done, 2 usage: nothing was done, 3 the server can't be reached, "
    "4 an inconsistency was found, 5 a limit was breached, 6 done, but what it says couldn't be written."
)


class Failed(click.ClickException):
    """One sentence on stderr, and an exit code that scripts can use.

    Args:
        kind: What it is, in one word, for `--json`: `docs/inspect.md` lists them.
        queue: Which one it is about; '' for none in particular.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, kind: str = "failed", queue: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.queue = queue


class WrongUse(Failed):
    """What was asked for can't be done as it was asked."""

    exit_code = EXIT_USAGE

    def __init__(self, message: str) -> None:
        super().__init__(message, "usage")


class Damaged(Failed):
    """The queue can't be looked at."""

    exit_code = EXIT_INCONSISTENT


class Unreachable(Failed):
    """The server gives no answer."""

    exit_code = EXIT_UNREACHABLE


def to_failure(error: errors.RosqError) -> Failed:
    """Turn an error of ours into what the command line says."""
    sentence = str(error)
    if isinstance(error, errors.ServerRefused):
        return Unreachable(sentence, "refused")
    if isinstance(error, errors.ServerUnreachable):
        return Unreachable(sentence, "unreachable")
    if isinstance(error, errors.InvalidName | errors.InvalidSettings | errors.InvalidData):
        return WrongUse(sentence)
    if isinstance(error, errors.QueueDamaged):
        return Damaged(sentence, "damaged", error.queue)
    if isinstance(error, errors.QueueNewer):
        return Failed(sentence, "newer", error.queue)
    return Failed(sentence)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server, and the queue if one was named."""

    settings: RedisSettings
    queue: str | None

    def find_used_queue(self, inspector: Inspector, lanes: Sequence[str] = ()) -> str:
        """Return the queue, as `find_queue` does, and refuse one, or a lane of it, that nobody ever used.

        What changes a queue mustn't say that it is done where a name was mistyped.
        """
        queue = self.find_queue(inspector)
        mistake = inspector.find_mistake(queue, lanes)
        if mistake is not None:
            raise WrongUse(mistake)
        return queue

    def find_queue(self, inspector: Inspector) -> str:
        """Return the queue that was named, else the only one there is."""
        if self.queue:
            return self.queue
        queues = inspector.list_queues()
        if len(queues) > 1:
            # One that only a mistyped start made is in nobody's way.
            queues = inspector.list_used(queues) or queues
        if len(queues) == 1:
            return queues[0]
        if not queues:
            sentence = "There is no queue on this Redis yet. Name one with --queue, or put a job on one first."
            raise Failed(sentence, "no_queue")
        raise WrongUse(f"There are several queues: {', '.join(queues)}. Name one with --queue or ROSQ_QUEUE.")
