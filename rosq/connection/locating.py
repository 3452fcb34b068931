"""Finding the server to talk to where that changes: a Sentinel's master, the node of a Cluster that has a queue.

Asked at every connect, never cached beyond it: a connection that turns out to lead to the wrong server is dropped, and
the next one asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from redis import exceptions as redis_errors
from redis.crc import key_slot

from rosq.connection.translating import RefusedByAll, Unlocated, is_untrusted
from rosq.errors import ServerUnfit
from rosq.redis_values import Address

#: Sends one command to a server over a connection of its own and returns the answer.
Ask: TypeAlias = Callable[[Address, Sequence[str]], Any]

_REFUSED = (
    redis_errors.AuthenticationError,
    redis_errors.AuthorizationError,
    redis_errors.NoPermissionError,
)


class Connected(Protocol):
    """What is used of a connection that was just opened."""

    def send_command(self, *command: str) -> None: ...
    def read_response(self) -> Any: ...


class Guide(Protocol):
    """Knows where a connection has to lead."""

    def locate(self) -> Address:
        """Name the server to connect to now.

        Raises:
            redis.RedisError: Nobody could say.
            ServerUnfit: There is none, and asking again won't help.
        """
        ...

    def check(self, connection: Connected) -> None:
        """Make sure that a fresh connection leads there.

        Raises:
            redis.RedisError: It leads elsewhere.
        """
        ...


class SentinelGuide:
    """Asks the sentinels for the master, the one that answered last before the others."""

    def __init__(self, sentinels: Sequence[Address], master: str, ask: Ask) -> None:
        self._sentinels = tuple(sentinels)
        self._master = master
        self._ask = ask

    def locate(self) -> Address:
        """Return the master's address as the first sentinel says that knows it."""
        told: list[str] = []
        failed: list[redis_errors.RedisError] = []
        for sentinel in self._sentinels:
            try:
                found = self._ask(sentinel, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._master))
            except redis_errors.RedisError as error:
                told.append(f"{sentinel} says: {error}")
                failed.append(error)
                continue
            if found:
                # A dead sentinel at the front would cost every connect its timeout.
                self._sentinels = (sentinel, *(other for other in self._sentinels if other != sentinel))
                return Address(found[0], int(found[1]))
            told.append(f"{sentinel} knows no master {self._master}")
        raise _sum_up(failed if len(failed) == len(told) else [], f"no sentinel names the master ({'; '.join(told)})")

    def check(self, connection: Connected) -> None:
        """Sentinels speak of a failover before it is done: the server must say itself that it is the master."""
        connection.send_command("ROLE")
        role = connection.read_response()[0]
        if role != "master":
            raise redis_errors.ConnectionError(f"the server that the sentinels name is a {role}, not the master yet")


class ClusterGuide:
    """Asks the nodes of a Cluster which one has a key, the one that had it last before the others: it knows first
    where the key's slot has gone."""

    def __init__(self, nodes: Sequence[Address], key: str, ask: Ask) -> None:
        self._seeds = tuple(nodes)
        self._slot: int = key_slot(key.encode())
        self._ask = ask
        self._owner: Address | None = None
        #: Nodes that were seen: the seeds may be gone one day.
        self._seen: tuple[Address, ...] = ()

    def locate(self) -> Address:
        """Return the master that has the key's slot."""
        told: list[str] = []
        failed: list[redis_errors.RedisError] = []
        owner, self._owner = self._owner, None
        first = () if owner is None else (owner,)
        for node in dict.fromkeys((*first, *self._seeds, *self._seen)):
            try:
                # CLUSTER SHARDS would be its successor, which 6.2 doesn't know; none has removed this one.
                ranges = self._ask(node, ("CLUSTER", "SLOTS"))
            except redis_errors.RedisError as error:
                if "cluster support disabled" in str(error):
                    raise ServerUnfit(
                        f"Redis at {node} is no node of a Cluster: name it by REDIS_HOST and REDIS_PORT instead."
                    ) from error
                told.append(f"{node} says: {error}")
                failed.append(error)
                continue
            self._owner = self._read(ranges, node)
            if self._owner is not None:
                return self._owner
            told.append(f"{node} knows no node for slot {self._slot}")
        raise _sum_up(
            failed if len(failed) == len(told) else [], f"no node says where the queue is ({'; '.join(told)})"
        )

    def list_masters(self) -> tuple[Address, ...]:
        """Return all masters, those of a lookup a moment ago."""
        self.locate()
        return self._seen

    def check(self, connection: Connected) -> None:
        """Nothing to be asked: a node that hasn't the slot any more answers MOVED to the first command."""

    def _read(self, ranges: Any, asked: Address) -> Address | None:
        """The owner of our slot; a node that doesn't know its own name leaves it empty, or puts a question mark."""
        masters = [
            (first, last, Address(asked.host if node[0] in (None, "", "?") else node[0], int(node[1])))
            for first, last, node, *_ in ranges
        ]
        self._seen = tuple(dict.fromkeys(address for _, _, address in masters))
        return next((address for first, last, address in masters if first <= self._slot <= last), None)


def _sum_up(failed: Sequence[redis_errors.RedisError], sentence: str) -> redis_errors.RedisError:
    """One error for all; where everyone refused us, one that says so."""
    if failed and all(isinstance(error, _REFUSED) or is_untrusted(error) for error in failed):
        return RefusedByAll(sentence)
    return Unlocated(sentence)
