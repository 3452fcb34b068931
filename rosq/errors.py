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
│   ├── ServerFull         out of memory: nothing was written
│   └── SlotMoved          a Cluster has given the queue to another node, or is about to
├── ServerUnfit            the server, or what lies on it, mustn't be used as it is
│   └── QueueNewer         a newer rosq has written the queue
├── QueueDamaged           something that rosq hasn't written is in the way: `rosq repair` mends it
└── ScriptFailed           an error of a script or command: a defect, never to be retried
"""

from __future__ import annotations

from redis import exceptions as redis_errors


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


class ServerUnreachable(RosqError):
    """Redis gives no answer that can be used now; trying again later may help."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(
            f"Redis at {address} can't be reached: {reason}. "
            "Check that it runs and that REDIS_HOST and REDIS_PORT, or what else says where it is, name it."
        )


class ServerRefused(ServerUnreachable):
    """Redis answers, but refuses this client."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.args = (
            f"Redis at {address} refuses this client: {reason}. Check REDIS_PASSWORD, REDIS_DB and the user's rights.",
        )


class ServerUntrusted(ServerRefused):
    """Whoever answers can't prove by TLS that it is the server that was meant; nothing was sent to it."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.args = (
            f"Redis at {address} isn't trusted: {reason}. Check REDIS_TLS_CA_FILE, and that the server is addressed by "
            "a name that its certificate has.",
        )


class SlotMoved(ServerUnreachable):
    """A Cluster has given the queue to another node, or is moving it right now; nothing was done."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.args = (
            f"Redis at {address} is a node of a Cluster, and {reason}: ask again. "
            "Where this lasts, name the Cluster's nodes in REDIS_CLUSTER_NODES.",
        )


class ServerFull(ServerUnreachable):
    """Redis has reached its memory limit; nothing was written."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.args = (
            f"Redis at {address} is out of memory, nothing was written: {reason}. Raise maxmemory or free some.",
        )


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


class ScriptFailed(RosqError):
    """Redis reported an error that repeating can't cure."""


#: What an error answer says when the server, not the request, is the trouble: restart, failover, full disk, moving
#: slots. Redis 6.2 wraps a script's errors ("ERR Error running script …"), so they are looked for anywhere in the text.
_TRANSIENT_MARKS = (
    "LOADING",
    "READONLY",
    "UNBLOCKED",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
    "MISCONF",
    "access a slot not served",
    "the cluster is down",
)
_TRANSIENT_STARTS = ("BUSY ", "NOMASTERLINK", "max number of clients", "ERR max number of clients")
_REFUSED_STARTS = (
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "DENIED",
    "ERR AUTH",
    "ERR Client sent AUTH",
    "ERR invalid password",
)
_REFUSED_MARKS = ("invalid DB index", "DB index is out of range")
#: What a script meets in a slot that is moving away: one of its keys has gone ahead, or can't be made here any more.
_GONE_AHEAD_MARK = "access a non local key"
_UNTRUSTED_MARK = "CERTIFICATE_VERIFY_FAILED"


class Unlocated(redis_errors.ConnectionError):
    """None of several servers said where the queue is, and not all of them refused us.

    Its text repeats what each says. None of that is true of all: what the others say later may help.
    """


_AWAY = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,
    redis_errors.ClusterDownError,
    redis_errors.InvalidResponse,
    OSError,
)
_REFUSED = (
    redis_errors.AuthenticationError,
    redis_errors.AuthorizationError,
    redis_errors.NoPermissionError,
    redis_errors.AuthenticationWrongNumberOfArgsError,
)


def is_untrusted(error: Exception) -> bool:
    """Whether the other side couldn't prove by TLS who it is; redis-py says so in its text only."""
    return _UNTRUSTED_MARK in str(error)


def translate(error: Exception, address: str) -> RosqError:
    """Say in our words what a client library's error means; each of redis-py's maps to exactly one of ours."""
    if isinstance(error, RosqError):
        return error
    text = (str(error) or type(error).__name__).rstrip(". ")
    if isinstance(error, redis_errors.OutOfMemoryError) or "OOM command not allowed" in text:
        return ServerFull(address, text)
    if isinstance(error, redis_errors.MovedError):
        return SlotMoved(address, f"the queue's slot is on another now ({text})")
    if isinstance(error, redis_errors.AskError | redis_errors.TryAgainError) or _GONE_AHEAD_MARK in text:
        return SlotMoved(address, f"the queue's slot is moving to another ({text})")
    if isinstance(error, Unlocated):
        return ServerUnreachable(address, text)
    if is_untrusted(error):
        return ServerUntrusted(address, text)
    if isinstance(error, _REFUSED) or text.startswith(_REFUSED_STARTS) or any(mark in text for mark in _REFUSED_MARKS):
        return ServerRefused(address, text)
    is_answer = isinstance(error, redis_errors.ResponseError)
    if isinstance(error, _AWAY) or text.startswith(_TRANSIENT_STARTS):
        return ServerUnreachable(address, text)
    if is_answer and any(mark in text for mark in _TRANSIENT_MARKS):
        return ServerUnreachable(address, text)
    return ScriptFailed(f"Redis at {address} reports an error that repeating can't cure: {text}")
