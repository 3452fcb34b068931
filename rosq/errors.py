"""What can go wrong, as one tree. Outcomes of a handler are not errors: they stand in `rosq.signals`.

RosqError
├── InvalidName            a queue, lane, job or worker name that breaks the rule
├── InvalidData            job data that isn't JSON, or is too long
├── InvalidSettings        a setting out of its range
├── UnknownJobName         a worker has no handler for jobs of this name
├── WorkLeft               a handler returned something that has yet to be run
├── LeaseLost              another holder may have the job now
├── WorkerNameTaken        another process works under this worker's name
├── ServerUnreachable      no answer for now: wait and try again
│   ├── ServerRefused      it answers, but not to us: password, user, permission
│   │   └── ServerUntrusted  it can't prove by TLS that it is the one that was meant
│   ├── ServerUnready      it answers, but can't do it now: it reads its data, can't save them, is a replica …
│   ├── ServerFull         out of memory: nothing was written
│   └── SlotMoved          a Cluster has given the queue to another node, or is about to
├── ServerUnfit            the server, or what lies on it, mustn't be used as it is
│   └── QueueNewer         a newer rosq has written the queue
├── QueueDamaged           something that rosq hasn't written is in the way: `rosq repair` mends it
└── ScriptFailed           an error of a script or command: a defect, never to be retried
"""

from __future__ import annotations


class RosqError(Exception):
    """Anything that rosq raises of its own accord."""


class InvalidName(RosqError, ValueError):
    """A name breaks the rule for its kind."""


class InvalidData(RosqError, ValueError):
    """Job data can't be stored."""


class InvalidSettings(RosqError, ValueError):
    """A setting is out of its range."""


class UnknownJobName(RosqError):
    """The worker has no handler for jobs of this name."""

    def __init__(self, name: str, known: list[str]) -> None:
        self.name = name
        self.known = known
        super().__init__(
            f"No handler is for jobs named {name!r}: this worker has those for {', '.join(map(repr, known))}. "
            "Give it one, or start a worker that has it."
        )


class WorkLeft(RosqError):
    """A handler returned something that has yet to be run, such as a coroutine: its work isn't done."""

    def __init__(self, job_id: str, kind: str, todo: str) -> None:
        self.job_id = job_id
        self.kind = kind
        super().__init__(f"The handler returned something of class {kind} that nobody will {todo}: do it there.")


class LeaseLost(RosqError):
    """The job may be another worker's by now: stop working on it, change nothing."""

    def __init__(self, job_id: str, reason: str = "") -> None:
        self.job_id = job_id
        self.reason = reason
        super().__init__(f"The lease of job {job_id} is lost" + (f": {reason}." if reason else "."))


class WorkerNameTaken(RosqError):
    """Another process works under this name."""

    def __init__(self, name: str, holder: str, retry_after_s: float) -> None:
        self.name = name
        self.holder = holder
        self.retry_after_s = retry_after_s
        super().__init__(
            f"Worker {name} runs already ({holder}). Stop that one first; "
            f"if it is dead, its name comes free within {max(retry_after_s, 0):.0f} s."
        )


class _ToldByServer(RosqError):
    """An error of a server, as a sentence on what is wrong and one on what to do."""

    #: What goes between the server's address and its own words, and what follows them.
    what = ""
    todo = ""

    def __init__(self, address: str, reason: str, *, code: str = "", what: str = "", todo: str = "") -> None:
        self.address = address
        self.reason = reason
        #: What its answer began with, such as MISCONF; empty where it gave none. `docs/servers.md` lists them.
        self.code = code
        super().__init__(f"Redis at {address} {what or self.what}: {reason}. {todo or self.todo}".rstrip())


class ServerUnreachable(_ToldByServer):
    """Redis gives no answer that can be used now; trying again later may help."""

    what = "can't be reached"
    todo = "Check that it runs and that REDIS_HOST and REDIS_PORT, or what else says where it is, name it."


class ServerUnready(ServerUnreachable):
    """Redis answers, but can't do now what it is asked for; nothing was written. `code` says why."""

    what = "can't do it now"
    todo = "Ask again."


class ServerRefused(ServerUnreachable):
    """Redis answers, but refuses this client."""

    what = "refuses this client"
    todo = "Check REDIS_PASSWORD, REDIS_DB and the user's rights."


class ServerUntrusted(ServerRefused):
    """Whoever answers can't prove by TLS that it is the server that was meant; nothing was sent to it."""

    what = "isn't trusted"
    todo = "Check REDIS_TLS_CA_FILE, and that the server is addressed by a name that its certificate has."


class SlotMoved(ServerUnreachable):
    """A Cluster has given the queue to another node, or is moving it right now; nothing was done."""

    what = "is a node of a Cluster that has given the queue away, or is about to"
    todo = "Ask again; where this lasts, name the Cluster's nodes in REDIS_CLUSTER_NODES."


class ServerFull(ServerUnreachable):
    """Redis has reached its memory limit; nothing was written."""

    what = "is out of memory, nothing was written"
    todo = "Raise maxmemory or free some."


class ServerUnfit(RosqError):
    """The server works, but jobs would not be safe on it."""


class QueueNewer(ServerUnfit):
    """A newer rosq has written the queue: upgrade rosq here. Other queues of the server aren't concerned."""

    def __init__(self, queue: str, schema_version: int, known: int) -> None:
        self.queue = queue
        self.schema_version = schema_version
        self.known = known
        super().__init__(
            f"Queue {queue} was written by a newer rosq (key schema {schema_version}, this one knows {known}). "
            "Upgrade rosq here."
        )


class QueueDamaged(RosqError):
    """In the queue lies something that rosq hasn't written, and that all its jobs need otherwise."""

    def __init__(self, queue: str, what: str = "a key of it is of another type than rosq's") -> None:
        self.queue = queue
        super().__init__(
            f"Queue {queue} is damaged: {what}. "
            f"`rosq --queue {queue} doctor` says more, `rosq --queue {queue} repair` mends it."
        )


class ScriptFailed(_ToldByServer):
    """Redis reported an error that repeating can't cure."""

    what = "reports an error that repeating can't cure"
