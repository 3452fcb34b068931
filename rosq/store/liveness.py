"""Which entries of a lane will still be worked on. `scripts/shared/liveness.lua` has the same rule, for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis import exceptions as redis_errors

from rosq.connection.translating import is_missing
from rosq.store.keys import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable


def is_after(entry_id: str, other: str) -> bool:
    """Whether a stream's entry comes after another."""
    return _parts(entry_id) > _parts(other)


def last_delivered(groups: list[dict[str, Any]]) -> str | None:
    """The last entry that was handed out, from XINFO GROUPS; None where the group doesn't exist yet."""
    return next((group["last-delivered-id"] for group in groups if group["name"] == GROUP), None)


def find_last_delivered(client: Any, stream: str) -> str | None:
    """The same, of a lane that may not be there."""
    try:
        return last_delivered(client.xinfo_groups(stream))
    except redis_errors.ResponseError as error:
        if is_missing(error):
            return None
        raise


def will_be_read(entry_id: str, last: str | None, is_pending: Callable[[], bool]) -> bool:
    """Whether an entry that is there will still be worked on: not handed out yet, or pending with someone.

    One that was acknowledged without being deleted, or lost its consumer, is there and will never be read again.

    Args:
        last: What `last_delivered` says of its lane.
        is_pending: Called only where that decides.
    """
    return last is None or is_after(entry_id, last) or is_pending()


def _parts(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
