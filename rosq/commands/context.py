"""What all subcommands share: where the queue is, how failures are told, exit codes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from rosq import errors
from rosq.inspect.damage import QueueDamaged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosq.inspect import Inspector
    from rosq.settings import RedisSettings

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INCONSISTENT = 4
EXIT_LIMIT = 5

EXIT_CODES = (
    "Exit codes: 0 done, 1 failed, 2 usage, 3 the server can't be reached, 4 an inconsistency was found, "
    "5 a limit was breached."
)


class Failed(click.ClickException):
    """One sentence on stderr, and an exit code that scripts can use."""

    exit_code = EXIT_FAILED


class WrongUse(Failed):
    """What was asked for can't be done as it was asked."""

    exit_code = EXIT_USAGE


class Damaged(Failed):
    """The queue can't be looked at."""

    exit_code = EXIT_INCONSISTENT


class Unreachable(Failed):
    """The server gives no answer."""

    exit_code = EXIT_UNREACHABLE


def to_failure(error: errors.RosqError) -> Failed:
    """Turn an error of ours into what the command line says."""
    if isinstance(error, errors.ServerUnreachable):
        return Unreachable(str(error))
    if isinstance(error, errors.InvalidName | errors.InvalidSettings):
        return WrongUse(str(error))
    if isinstance(error, QueueDamaged):
        return Damaged(str(error))
    return Failed(str(error))


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
        if len(queues) == 1:
            return queues[0]
        if not queues:
            raise Failed("There is no queue on this Redis yet. Name one with --queue, or put a job on one first.")
        raise WrongUse(f"There are several queues: {', '.join(queues)}. Name one with --queue or ROSQ_QUEUE.")
