"""Metrics for Prometheus, by the extra `rosq[prometheus]`; `docs/metrics.md` lists them.

    from prometheus_client import REGISTRY, start_http_server
    from rosq.metrics import MetricsHook, QueueCollector

    queue = Queue(redis_settings, "order-processing", hooks=[MetricsHook()])
    REGISTRY.register(QueueCollector(redis_settings, ["order-processing"]))
    start_http_server(9000)

The hook counts what this process does; the collector reads how the whole queue stands. One process of a queue that
has the collector is enough.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING

from rosq import facts
from rosq.clock import boot_time_s
from rosq.errors import RosqError, ServerUnreachable
from rosq.hooks import Hook
from rosq.inspect.inspector import Inspector
from rosq.names import check_queue_name
from rosq.signals import JobSignal

try:
    import prometheus_client
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
except ImportError as error:
    raise ImportError("rosq.metrics needs prometheus_client: pip install 'rosq[prometheus]'.") from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry

    from rosq.execution.delivery import Delivery
    from rosq.execution.settlement import Settlement
    from rosq.hooks import EnqueueCall, EnqueueEnd, HandlerEnd, WorkerInfo
    from rosq.inspect.overview import Overview
    from rosq.maintenance.service import Swept
    from rosq.settings import RedisSettings

log = logging.getLogger(__name__)

#: Seconds: from a handler that only looks to one that works for an hour.
HANDLER_BUCKETS_S = (0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
#: Seconds: an enqueue is a round trip.
ENQUEUE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0)
#: Seconds that the collector waits for an answer: Prometheus gives up on a scrape after ten.
_ANSWER_TIMEOUT_S = 3.0
_MAX_QUEUES = 100


class MetricsHook(Hook):
    """Counts and times what the producers and workers of this process do. One is enough for all its queues.

    Args:
        registry: Where the metrics are registered; the library's own by default. A second hook on the same registry is
            refused by it with ValueError.
        handler_buckets_s: Bounds of the handlers' durations, in seconds.
    """

    def __init__(
        self,
        registry: CollectorRegistry = prometheus_client.REGISTRY,
        *,
        handler_buckets_s: Sequence[float] = HANDLER_BUCKETS_S,
    ) -> None:
        def counter(name: str, text: str, *labels: str) -> prometheus_client.Counter:
            return prometheus_client.Counter(name, text, ("queue", *labels), registry=registry)

        def gauge(name: str, text: str) -> prometheus_client.Gauge:
            return prometheus_client.Gauge(name, text, ("queue",), registry=registry)

        self._enqueued = counter("rosq_jobs_enqueued_total", "Jobs given to the queue, by its answer", "outcome")
        self._enqueue_errors = counter("rosq_enqueue_errors_total", "Calls that raised", "error_type")
        self._enqueue_duration = prometheus_client.Histogram(
            "rosq_enqueue_duration_seconds",
            "How long calls took that put jobs on the queue",
            ("queue",),
            registry=registry,
            buckets=ENQUEUE_BUCKETS_S,
        )
        self._started = counter("rosq_jobs_started_total", "Deliveries whose handler was called", "name")
        self._in_hand = gauge("rosq_jobs_in_hand", "Handlers at work in this process")
        self._handler_duration = prometheus_client.Histogram(
            "rosq_handler_duration_seconds",
            "How long handlers ran, by outcome",
            ("queue", "name", "outcome"),
            registry=registry,
            buckets=handler_buckets_s,
        )
        self._handler_errors = counter(
            "rosq_handler_errors_total", "What handlers raised but signals", "name", "error_type"
        )
        self._settled = counter(
            "rosq_jobs_settled_total", "Deliveries that ended as Redis confirmed", "name", "outcome"
        )
        self._refused = counter("rosq_settles_refused_total", "Settles that came too late: nothing was written")
        self._leases_lost = counter("rosq_leases_lost_total", "Deliveries whose lease was lost before their end")
        self._recovered = counter("rosq_jobs_recovered_total", "Jobs of dead holders that were taken over", "outcome")
        self._idle = counter("rosq_worker_idle_seconds_total", "Time that workers slept since nothing was to be done")
        self._names_taken = counter("rosq_worker_names_taken_total", "Names that were taken, or taken again")
        self._names_lost = counter("rosq_worker_names_lost_total", "Holds on a name that were lost")
        self._outages = counter("rosq_redis_outages_total", "How often Redis went away, seen by workers")
        self._away = gauge("rosq_redis_away", "Workers of this process that wait for Redis")
        self._away_time = counter("rosq_redis_away_seconds_total", "How long outages took that are over")

    def after_enqueue(self, call: EnqueueCall, end: EnqueueEnd) -> None:
        """See `Hook.after_enqueue`."""
        self._enqueue_duration.labels(call.queue).observe(end.duration_s)
        for outcome, count in Counter(answer.outcome.value for answer in end.answers).items():
            self._enqueued.labels(call.queue, outcome).inc(count)
        if end.error is not None:
            self._enqueue_errors.labels(call.queue, type(end.error).__name__).inc()

    def before_handler(self, worker: WorkerInfo, delivery: Delivery) -> None:
        """See `Hook.before_handler`."""
        self._started.labels(worker.queue, delivery.name).inc()
        self._in_hand.labels(worker.queue).inc()

    def after_handler(self, worker: WorkerInfo, delivery: Delivery, end: HandlerEnd) -> None:
        """See `Hook.after_handler`."""
        self._in_hand.labels(worker.queue).dec()
        outcome = "lost" if end.outcome is None else end.outcome.word
        self._handler_duration.labels(worker.queue, delivery.name, outcome).observe(end.duration_s)
        if end.outcome is None:
            self._leases_lost.labels(worker.queue).inc()
        if end.error is not None and not isinstance(end.error, JobSignal):
            self._handler_errors.labels(worker.queue, delivery.name, type(end.error).__name__).inc()

    def after_settle(self, worker: WorkerInfo, settlement: Settlement, is_refused: bool) -> None:
        """See `Hook.after_settle`."""
        if is_refused:
            self._refused.labels(worker.queue).inc()
        else:
            self._settled.labels(worker.queue, settlement.delivery.name, settlement.outcome.word).inc()

    def after_sleep(self, worker: WorkerInfo, slept_s: float) -> None:
        """See `Hook.after_sleep`."""
        self._idle.labels(worker.queue).inc(slept_s)

    def name_held(self, worker: WorkerInfo) -> None:
        """See `Hook.name_held`."""
        self._names_taken.labels(worker.queue).inc()

    def name_lost(self, worker: WorkerInfo) -> None:
        """See `Hook.name_lost`."""
        self._names_lost.labels(worker.queue).inc()

    def redis_away(self, worker: WorkerInfo, error: ServerUnreachable) -> None:
        """See `Hook.redis_away`."""
        self._outages.labels(worker.queue).inc()
        self._away.labels(worker.queue).inc()

    def redis_back(self, worker: WorkerInfo, away_s: float) -> None:
        """See `Hook.redis_back`."""
        self._away.labels(worker.queue).dec()
        self._away_time.labels(worker.queue).inc(away_s)

    def after_maintenance(self, worker: WorkerInfo, swept: Swept) -> None:
        """See `Hook.after_maintenance`."""
        counts = {"put_back": swept.put_back, "failed": swept.failed, "cancelled": swept.cancelled}
        for outcome, count in {**counts, "dropped": swept.dropped}.items():
            if count:
                self._recovered.labels(worker.queue, outcome).inc(count)


class QueueCollector:
    """Reads how queues stand whenever Prometheus asks: register it with `REGISTRY.register(QueueCollector(…))`.

    It costs Redis what `rosq inspect` does, bounded however long the queues are, and asks no worker. While Redis
    doesn't answer it says so by `rosq_queue_up` 0 and leaves the rest out: what else the process tells is told.

    Args:
        redis_settings: Where Redis is. An answer is waited for 3 s at most.
        queues: Names of the queues; by default those that are on the server when it is asked, a hundred at most.
        fresh_for_s: Seconds in which an answer is given again instead of asking Redis.
    """

    def __init__(
        self, redis_settings: RedisSettings, queues: Sequence[str] | None = None, *, fresh_for_s: float = 1.0
    ) -> None:
        self._address = redis_settings.address
        self._inspector = Inspector(redis_settings.with_timeouts_below(_ANSWER_TIMEOUT_S))
        self._queues = None if queues is None else [check_queue_name(name) for name in dict.fromkeys(queues)]
        self._fresh_for_s = fresh_for_s
        # One scrape at a time: a second Prometheus waits for the first one's answer, and gets the same.
        self._lock = threading.Lock()
        self._answer: list[Metric] = []
        self._answered_s = float("-inf")

    def describe(self) -> list[Metric]:
        """Name the metrics without asking Redis, for the registration."""
        return _Families().all()

    def collect(self) -> list[Metric]:
        """Ask Redis and tell; called by the registry."""
        with self._lock:
            if boot_time_s() - self._answered_s >= self._fresh_for_s:
                self._answer = self._read()
                self._answered_s = boot_time_s()
            return self._answer

    def close(self) -> None:
        """Drop the connection. Unregister it before."""
        with self._lock:
            self._inspector.close()

    def _read(self) -> list[Metric]:
        families = _Families()
        started_s = boot_time_s()
        try:
            names = self._inspector.list_queues()[:_MAX_QUEUES] if self._queues is None else self._queues
        except Exception as error:
            self._warn("", error)
            names = []
        for name in names:
            try:
                families.add(name, self._inspector.look(name))
            except Exception as error:
                # A scrape tells of the other queues, and of all else that the process measures, whatever it is.
                self._warn(name, error)
                families.up.add_metric([name], 0)
                if isinstance(error, ServerUnreachable):
                    # Each of the others would wait just as long: a scrape has a deadline.
                    for other in names[names.index(name) + 1 :]:
                        families.up.add_metric([other], 0)
                    break
        families.duration.add_metric([], boot_time_s() - started_s)
        return families.all()

    def _warn(self, queue: str, error: Exception) -> None:
        log.warning(
            "A queue couldn't be measured",
            exc_info=not isinstance(error, RosqError),
            extra={
                "event": "measure_failed",
                "queue": queue,
                **facts.of_error(error),
            },
        )


class _Families:
    """The collector's metrics, filled queue by queue."""

    def __init__(self) -> None:
        self.up = GaugeMetricFamily("rosq_queue_up", "Whether the queue could be read", labels=["queue"])
        self.duration = GaugeMetricFamily("rosq_queue_scrape_duration_seconds", "How long reading all queues took")
        self._jobs = GaugeMetricFamily("rosq_queue_jobs", "Jobs, by state", labels=["queue", "state"])
        self._oldest = GaugeMetricFamily(
            "rosq_queue_oldest_waiting_seconds", "How long the first waiting job has waited", labels=["queue"]
        )
        self._overdue = GaugeMetricFamily(
            "rosq_queue_delayed_overdue_seconds", "How late the first delayed job is; 0: in time", labels=["queue"]
        )
        self._workers = GaugeMetricFamily("rosq_queue_workers", "Workers, by state", labels=["queue", "state"])
        self._paused = GaugeMetricFamily("rosq_queue_paused", "1: hands out nothing new", labels=["queue"])
        self._inconsistencies = GaugeMetricFamily(
            "rosq_queue_inconsistencies", "Broken invariants that a look found", labels=["queue"]
        )
        self._totals = {
            name: CounterMetricFamily(
                f"rosq_queue_{name}_total", f"Jobs {name} since the queue was made", labels=["queue"]
            )
            for name in ("enqueued", "completed", "failed", "cancelled")
        }

    def add(self, queue: str, seen: Overview) -> None:
        """Add what a look at a queue showed."""
        self.up.add_metric([queue], 1)
        for state in ("waiting", "active", "delayed", "completed", "failed", "cancelled"):
            self._jobs.add_metric([queue, state], getattr(seen, state))
        self._oldest.add_metric([queue], seen.oldest_waiting_s or 0.0)
        due_in_s = 0.0 if seen.next_delayed is None else seen.next_delayed.due_in_s
        self._overdue.add_metric([queue], max(-(due_in_s or 0.0), 0.0))
        states = [worker.state for worker in seen.workers]
        for state in ("busy", "idle", "lost"):
            self._workers.add_metric([queue, state], states.count(state))
        self._paused.add_metric([queue], seen.pause is not None)
        self._inconsistencies.add_metric([queue], len(seen.inconsistencies))
        for name, family in self._totals.items():
            family.add_metric([queue], getattr(seen, f"{name}_total"))

    def all(self) -> list[Metric]:
        """Return them."""
        gauges = [self._jobs, self._oldest, self._overdue, self._workers, self._paused, self._inconsistencies]
        return [self.up, self.duration, *gauges, *self._totals.values()]
