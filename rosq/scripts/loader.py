"""Server-side steps: the Lua files in the rooms beside this one, with what they share included.

A line `-- @include name` is replaced by `shared/name.lua`, once a script however often it is asked for. All other files
are scripts: one step a file, whose header says keys, arguments, answer and replay. No two have the same name, whatever
their rooms, so the name is enough.

What is the same for every call of a process, such as the lease or how much is kept, stands in the hot scripts as a
number, in the place of its name: sent with each call, it would cost the server more than what is done with it.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import importlib.resources
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

_INCLUDE = re.compile(r"^ *-- @include (\w+)$", re.MULTILINE)
_SHARED = "shared"


class Code(enum.IntEnum):
    """What settling and heartbeat answer about a delivery; `scripts/shared/holder.lua` and
    `scripts/shared/put_back.lua` have the same."""

    #: The delivery held its job, and what was asked is done.
    HELD = 1
    #: It held its job, and that is cancelled now, not put back: somebody had asked for it while it ran.
    CANCELLED = 2
    #: This very delivery settled the job before: its answer was lost.
    ALREADY_SETTLED = 0
    #: Another delivery, or nobody, holds the job; nothing was written.
    LOST = -1
    #: The job isn't known any more; nothing was written.
    GONE = -2
    #: This very delivery settled the job before, in another way; nothing was written.
    SETTLED_OTHERWISE = -3

    @property
    def is_refusal(self) -> bool:
        """Whether a settle came to nothing: what it meant isn't what became of the job."""
        return self < 0


class Script:
    """One server-side step. `source` is what Redis is given when it doesn't know `sha` yet.

    Args:
        constants: Written in the place of their names, so that other constants make another script.
    """

    def __init__(self, name: str, constants: Mapping[str, int] | None = None) -> None:
        self.name = name
        source = _assemble(name)
        for key, value in (constants or {}).items():
            source = re.sub(rf"\b{key}\b", str(value), source)
        self.source = source
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


@functools.cache
def _rooms() -> Mapping[str, Mapping[str, Traversable]]:
    """The Lua files by room and name."""
    folder = importlib.resources.files("rosq") / "scripts"
    return {
        room.name: {each.name[:-4]: each for each in room.iterdir() if each.name.endswith(".lua")}
        for room in folder.iterdir()
        if room.is_dir() and not room.name.startswith("_")
    }


def read(name: str) -> str:
    """Return a script's own text, with the includes as they stand."""
    (found,) = [files[name] for room, files in _rooms().items() if room != _SHARED and name in files]
    return found.read_text(encoding="utf-8")


def read_shared(name: str) -> str:
    """Return the text of what scripts share."""
    return _rooms()[_SHARED][name].read_text(encoding="utf-8")


def _assemble(name: str) -> str:
    included: set[str] = set()

    def expand(text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            share = match.group(1)
            if share in included:
                return ""
            included.add(share)
            return expand(read_shared(share))

        return _INCLUDE.sub(replace, text)

    return expand(read(name))


@functools.cache
def load(name: str, **constants: int) -> Script:
    """Return the script of this name with these constants, read and assembled once a process."""
    return Script(name, constants)


def list_names() -> list[str]:
    """Name every script, shares not counted."""
    return sorted(name for room, files in _rooms().items() if room != _SHARED for name in files)
