"""What is said about jobs and workers: the events that scripts write into Redis, and the names of log lines."""

from __future__ import annotations

import enum


class Event(enum.StrEnum):
    """The events of a queue's stream; `docs/events.md` has when each is written and its fields."""

    ENQUEUED = "enqueued"
    REOPENED = "reopened"
    MOVED = "moved"
    PROMOTED = "promoted"
    STARTED = "started"
    COMPLETED = "completed"
    RETRIED = "retried"
    SNOOZED = "snoozed"
    RELEASED = "released"
    FAILED = "failed"
    CANCEL_ASKED = "cancel_asked"
    CANCELLED = "cancelled"
    CRASHED = "crashed"
    DROPPED = "dropped"
    REPAIRED = "repaired"
    RESTARTED = "restarted"
    ADVANCED = "advanced"
    REMOVED = "removed"
    DRAINED = "drained"
    FORGOTTEN = "forgotten"
    PAUSED = "paused"
    RESUMED = "resumed"
    WORKER_JOINED = "worker_joined"
    WORKER_LEFT = "worker_left"
