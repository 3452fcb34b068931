"""The facts that many log lines share, by the names that `docs/events.md` gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq import trace

if TYPE_CHECKING:
    from rosq.execution.delivery import Delivery


def of_worker(queue: str, worker: str) -> dict[str, object]:
    """Which worker of which queue speaks."""
    return {"queue": queue, "worker_id": worker}


def of_delivery(delivery: Delivery) -> dict[str, object]:
    """Which hand-out of which job is meant."""
    return {"job_id": delivery.job_id, "delivery": delivery.fence, "attempt": delivery.attempt}


def of_error(error: BaseException) -> dict[str, object]:
    """What went wrong."""
    return {"error_type": type(error).__name__, "error": trace.describe(error)}
