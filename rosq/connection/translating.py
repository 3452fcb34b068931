"""What an error of the server, or of redis-py, means: one table, by the word that an error answer begins with."""

from __future__ import annotations

import re
from typing import NamedTuple

from redis import exceptions as redis_errors

from rosq.errors import (
    RosqError,
    ScriptFailed,
    ServerFull,
    ServerRefused,
    ServerUnreachable,
    ServerUnready,
    ServerUntrusted,
    SlotMoved,
)


class Meaning(NamedTuple):
    """What an error answer means. Empty sentences are those of the class."""

    kind: type[ServerUnreachable | ScriptFailed]
    #: What is wrong, after "Redis at …".
    what: str = ""
    #: What to do.
    todo: str = ""


#: By the answer's first word. The names in small letters stand for answers that begin with no word of their own.
#: An answer that isn't here is an error that repeating can't cure.
MEANINGS = {
    "LOADING": Meaning(ServerUnready, "is reading its data", "It answers as soon as it has read them."),
    "BUSY": Meaning(
        ServerUnready,
        "is held up by a script that runs for long",
        "If that doesn't end by itself, end it by SCRIPT KILL or FUNCTION KILL.",
    ),
    "MISCONF": Meaning(
        ServerUnready,
        "can't save its data, and takes no changes until it can",
        "Its log says why (a full disk, a folder that it may not write to): cure that.",
    ),
    "NOREPLICAS": Meaning(
        ServerUnready,
        "has too few replicas that keep up, and takes no changes",
        "Bring replicas back, or lower min-replicas-to-write.",
    ),
    "maxclients": Meaning(
        ServerUnready,
        "has as many clients as it may have",
        "CLIENT LIST says whose they are: close some, or raise maxclients.",
    ),
    "READONLY": Meaning(
        ServerUnready,
        "is a replica, and takes no changes",
        "After a failover the next attempt finds the master; where this lasts, name the master, or its sentinels.",
    ),
    "UNBLOCKED": Meaning(ServerUnready, "let nobody wait there any longer", "The next attempt finds the master."),
    "MASTERDOWN": Meaning(
        ServerUnready, "is a replica that has lost its master", "Where this lasts, name the master, or its sentinels."
    ),
    "NOMASTERLINK": Meaning(
        ServerUnready, "is a replica that has lost its master", "Where this lasts, name the master, or its sentinels."
    ),
    "CLUSTERDOWN": Meaning(
        ServerUnready,
        "is a node of a Cluster that is down",
        "`redis-cli --cluster check` says which slots no node serves.",
    ),
    "MOVED": Meaning(SlotMoved),
    "ASK": Meaning(SlotMoved),
    "TRYAGAIN": Meaning(SlotMoved),
    "OOM": Meaning(ServerFull),
    "NOAUTH": Meaning(ServerRefused, "asks for a password", "Give it by REDIS_PASSWORD."),
    "WRONGPASS": Meaning(ServerRefused, "refuses this user or password", "Check REDIS_USERNAME and REDIS_PASSWORD."),
    "NOPERM": Meaning(
        ServerRefused, "forbids this user what rosq needs", "The rights of a user stand in docs/servers.md."
    ),
    "DENIED": Meaning(
        ServerRefused,
        "serves its own machine only (protected mode)",
        "Give it a password, or say protected-mode no there.",
    ),
    "no password": Meaning(
        ServerRefused, "has no password, and was given one", "Leave REDIS_PASSWORD out, or give it that password."
    ),
    "no database": Meaning(ServerRefused, "has no such database", "Check REDIS_DB."),
    "closed": Meaning(
        ServerUnreachable,
        "closes the connection",
        "Check that it runs, that it takes clients from here, and that REDIS_TLS is 1 where it speaks TLS.",
    ),
    "no TLS": Meaning(
        ServerUnreachable,
        "can't be spoken to by TLS",
        "Check REDIS_TLS, and whether this port speaks it; and REDIS_TLS_CERT_FILE, where the server asks for a "
        "client's certificate.",
    ),
    "TLS files": Meaning(
        ServerUnreachable,
        "isn't asked, for want of files for TLS",
        "Check REDIS_TLS_CA_FILE, REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE: PEM files, the key without a passphrase, "
        "the certificate made out for it.",
    ),
    "WRONGTYPE": Meaning(
        ScriptFailed,
        "has a key of the queue's name that another program wrote",
        "`rosq doctor` names it, `rosq repair` mends it.",
    ),
    "NOGROUP": Meaning(ScriptFailed, "misses a lane of the queue, or its group", "`rosq doctor` names it."),
    "CROSSSLOT": Meaning(ScriptFailed, todo="Name the Cluster's nodes in REDIS_CLUSTER_NODES."),
}

#: redis-py takes the first word off, and keeps it as `status_code`; not of every error that it raises itself.
_BY_CLASS: tuple[tuple[type[Exception], str], ...] = (
    (redis_errors.OutOfMemoryError, "OOM"),
    (redis_errors.ReadOnlyError, "READONLY"),
    (redis_errors.BusyLoadingError, "LOADING"),
    (redis_errors.MasterDownError, "MASTERDOWN"),
    (redis_errors.ClusterDownError, "CLUSTERDOWN"),
    (redis_errors.TryAgainError, "TRYAGAIN"),
    (redis_errors.MovedError, "MOVED"),
    (redis_errors.AskError, "ASK"),
    (redis_errors.NoPermissionError, "NOPERM"),
    (redis_errors.AuthorizationError, "NOPERM"),
    (redis_errors.AuthenticationError, "WRONGPASS"),
    (redis_errors.AuthenticationWrongNumberOfArgsError, "WRONGPASS"),
    (redis_errors.NoScriptError, "NOSCRIPT"),
    (redis_errors.ClusterCrossSlotError, "CROSSSLOT"),
)
#: What answers say that begin with no word of their own, or with ERR.
_BY_TEXT = (
    ("max number of clients", "maxclients"),
    ("without any password configured", "no password"),
    ("no password is set", "no password"),
    ("invalid password", "WRONGPASS"),
    ("ACL failure in script", "NOPERM"),
    ("DB index is out of range", "no database"),
    ("invalid DB index", "no database"),
    # What a script meets in a slot that is moving away: a key has gone ahead, or can't be made here any more.
    ("access a non local key", "TRYAGAIN"),
    ("access a slot not served", "CLUSTERDOWN"),
    ("the cluster is down", "CLUSTERDOWN"),
    # What OpenSSL says, redis-py, the kernel, and `rosq.connection.line`.
    ("[SSL", "no TLS"),
    ("Connection closed by server", "closed"),
    ("Connection reset by peer", "closed"),
    ("it closed the connection", "closed"),
)
#: Redis 6.2 wraps what a script meets ("ERR Error running script …: -READONLY You can't …"), and EXECABORT what a
#: transaction meets: there the word is anywhere in the text.
_WITHIN = re.compile(r"(?:^|[\s:-])(" + "|".join(code for code in MEANINGS if code.isupper()) + r")\s")

_AWAY = (redis_errors.ConnectionError, redis_errors.TimeoutError, redis_errors.InvalidResponse, OSError)


class Unlocated(redis_errors.ConnectionError):
    """None of several servers said where the queue is, and not all of them refused us.

    Its text repeats what each says. None of that is true of all: what the others say later may help.
    """


class RefusedByAll(redis_errors.AuthenticationError):
    """Each of several servers that were asked where the queue is refused us; its text repeats what each says."""


class UnusableFiles(redis_errors.ConnectionError):
    """The files that TLS needs here can't be read, or don't belong together."""


class NoTls(redis_errors.ConnectionError):
    """Whoever is there doesn't speak TLS as it is spoken to."""


def is_untrusted(error: Exception) -> bool:
    """Whether the other side couldn't prove by TLS who it is; redis-py says so in its text only."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def find_code(error: Exception) -> str:
    """Return what an error answer began with, one of `MEANINGS` where it is known; empty where there is none."""
    if isinstance(error, ServerUnreachable | ScriptFailed):
        return error.code
    if isinstance(error, NoTls | UnusableFiles):
        return "no TLS" if isinstance(error, NoTls) else "TLS files"
    text = str(error)
    told: str | None = getattr(error, "status_code", None)
    first = told or text.partition(" ")[0]
    if first in MEANINGS:
        return first
    for mark, code in _BY_TEXT:
        if mark in text:
            return code
    for kind, code in _BY_CLASS:
        if isinstance(error, kind):
            return code
    is_answer = isinstance(error, redis_errors.ResponseError)
    if is_answer and (within := _WITHIN.search(text)):
        return within[1]
    return first if is_answer and first.isalpha() and first.isupper() else ""


def is_changed(error: Exception) -> bool:
    """Whether an error answer says that another server is the right one now, so that only a new connection helps."""
    return find_code(error) in ("READONLY", "UNBLOCKED", "MASTERDOWN", "MOVED")


def is_missing(error: object) -> bool:
    """Whether an error answer only says that a lane, or its group, isn't there yet."""
    return isinstance(error, Exception) and (find_code(error) == "NOGROUP" or "no such key" in str(error).lower())


def is_wrong_type(error: object) -> bool:
    """Whether the server, or a script on it, refused a command since a key is of another type."""
    return isinstance(error, Exception) and find_code(error) == "WRONGTYPE"


def translate(error: Exception, address: str) -> RosqError:
    """Say in our words what a client library's error means; each of redis-py's maps to exactly one of ours."""
    if isinstance(error, RosqError):
        return error
    text = (str(error) or type(error).__name__).rstrip(". ")
    if isinstance(error, Unlocated):
        return ServerUnreachable(address, text)
    if is_untrusted(error):
        return ServerUntrusted(address, text)
    if isinstance(error, RefusedByAll):
        return ServerRefused(address, text)
    code = find_code(error)
    meaning = MEANINGS.get(code) or Meaning(ServerUnreachable if isinstance(error, _AWAY) else ScriptFailed)
    # redis-py takes the word off the text of those that it knows.
    reason = f"{code} {text}" if code.isupper() and code != "ERR" and code not in text else text
    return meaning.kind(address, reason, code=code, what=meaning.what, todo=meaning.todo)
