"""What can be damaged: every key that `rosq.store.keys` makes, each to be replaced by every other type; and what may
stand in a field instead of what rosq wrote."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

from rosq.store.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable

#: A name that stands for any in a pattern.
_ANY = "ANY"
#: Whether the whole table is gone through, and not a part of it: some minutes (`make test-long`).
IS_WHOLE = bool(os.environ.get("ROSQ_DAMAGE_WHOLE"))


def list_patterns() -> dict[str, str]:
    """Every key that a queue may have, as `rosq.store.keys` makes them: `lane:ANY` and the like, by what makes it."""
    keys = Keys("q")
    prefix = keys.pattern.removesuffix("*")
    plain = {
        name: value.removeprefix(prefix)
        for name, value in vars(keys).items()
        if name not in ("queue", "_prefix", "pattern") and not name.endswith("_prefix")
    }
    made = {
        name: method(keys, _ANY).removeprefix(prefix)
        for name, method in inspect.getmembers(Keys, inspect.isfunction)
        if not name.startswith("_") and name not in ("aside", "members", "type_of")
    }
    return {**plain, **made}


def pattern_of(key: str, patterns: dict[str, str]) -> str | None:
    """The pattern that a key of a queue fits, without its prefix; None where it fits none."""
    fitting = [
        pattern
        for pattern in patterns.values()
        if pattern == key or (pattern.endswith(_ANY) and key.startswith(pattern.removesuffix(_ANY)))
    ]
    return max(fitting, key=len, default=None)


#: What writes a key of each type, as another program would.
WRITE: dict[str, Callable[[Any, str], object]] = {
    "string": lambda client, key: client.set(key, "not ours"),
    "list": lambda client, key: client.rpush(key, "not ours", "neither"),
    "hash": lambda client, key: client.hset(key, "not ours", "1"),
    "set": lambda client, key: client.sadd(key, "not ours"),
    "zset": lambda client, key: client.zadd(key, {"not ours": 1.0}),
    "stream": lambda client, key: client.xadd(key, {"not ours": "1"}),
}


def replace(client: Any, key: str, kind: str) -> None:
    """Put a key of another type in the place of one, at one instant: a worker may be about to write there."""
    pipe = client.pipeline(transaction=True)
    pipe.delete(key)
    WRITE[kind](pipe, key)
    pipe.execute()


#: What may stand in a field instead of what rosq wrote.
GARBAGE: dict[str, str | bytes] = {
    "empty": "",
    "letter": "x",
    "negative": "-1",
    "beyond a double": "1e400",
    "nan": "nan",
    "infinite": "-inf",
    "beyond 63 bits": str(2**63),
    "beyond any calendar": "253402300800000000",
    "long": "y" * 20_000,
    "not UTF-8": b"\xff\xfe\x80",
    "NUL": "\x00",
    "truncated JSON": '{"a": ["b", {"c": ',
    "other JSON": "[1, 2",
    "deep JSON": "[" * 20_000,
    "a newline": "1\n2",
    "a blank": "a b",
}
#: Scores of a sorted set that no calendar has, or that no server would write.
SCORES = ("inf", "-inf", "1e300", "-1e300", "253402300800000000", "-1", "0.5")
