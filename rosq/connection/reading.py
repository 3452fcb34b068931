"""Several reads at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq.connection.translating import is_wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable


def read_at_once(client: Any, ask: Callable[[Any], object], *, is_raising: bool = True) -> list[Any]:
    """Return the answers to several reads, as they stood together: in a transaction.

    A full server before Redis 7.4 and Valkey 8.0 refuses any transaction, one of reads too (taken back by
    https://github.com/redis/redis/pull/12961). There the reads go in one batch, and a change may come between two of
    them: whoever must know what makes room had better see that than nothing.

    Args:
        ask: Gives the commands to a pipeline. Called again for the batch.
        is_raising: False puts an error answer among the answers instead of raising it.
    """
    pipe = client.pipeline(transaction=True)
    ask(pipe)
    try:
        answers: list[Any] = pipe.execute(raise_on_error=is_raising)
    except redis_errors.OutOfMemoryError:
        pipe = client.pipeline(transaction=False)
        ask(pipe)
        answers = pipe.execute(raise_on_error=is_raising)
    return answers


def read_hashes(pipe: Any) -> list[Any]:
    """Return the answers to a pipeline that reads jobs' hashes, None in the place of a key of another type: it hides no
    other job."""
    answers: list[Any] = pipe.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception) and not is_wrong_type(answer):
            raise answer
    return [None if isinstance(answer, Exception) else answer for answer in answers]
