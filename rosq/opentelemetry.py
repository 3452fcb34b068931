"""Traces by OpenTelemetry, from enqueue to handler, by the extra `rosq[otel]`; `docs/tracing.md` shows them.

    from rosq.opentelemetry import OpenTelemetryHook

    queue = Queue(redis_settings, "order-processing", hooks=[OpenTelemetryHook()])

Names and attributes follow OpenTelemetry's conventions for messaging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosq.errors import LeaseLost
from rosq.execution.settlement import Outcome
from rosq.hooks import Hook
from rosq.store.keys import GROUP

try:
    from opentelemetry import context as otel_context
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:
    raise ImportError("rosq.opentelemetry needs opentelemetry-api: pip install 'rosq[otel]'.") from error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.util.types import AttributeValue

    from rosq.execution.delivery import Delivery
    from rosq.hooks import EnqueueCall, EnqueueEnd, HandlerEnd, WorkerInfo

#: The conventions' names; the package that has them as constants isn't part of the API.
_SYSTEM = "messaging.system"
_DESTINATION = "messaging.destination.name"
_OPERATION_NAME = "messaging.operation.name"
_OPERATION_TYPE = "messaging.operation.type"
_MESSAGE_ID = "messaging.message.id"
_MESSAGE_COUNT = "messaging.batch.message_count"
_CLIENT_ID = "messaging.client.id"
_CONSUMER_GROUP = "messaging.consumer.group.name"
_ERROR_TYPE = "error.type"


class OpenTelemetryHook(Hook):
    """Makes a span of each enqueue and of each run of a handler; the second is a child of the first, and linked to it.

    What ties them together is W3C's `traceparent`, a header that lies with the job: it stays through retries, snoozes,
    crashes and restarts, so every run of a job is in the trace that put it on the queue. While a handler works its
    span is the current one: what it does belongs to it.

    Without OpenTelemetry's SDK nothing is recorded, and a trace that comes from elsewhere is passed on.

    Args:
        tracer_provider: Where spans go; the process's own by default.
        propagator: How the context becomes headers. By default trace context alone, without baggage: that could be of
            any length, and lies in Redis with every job.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, *, propagator: TextMapPropagator | None = None
    ) -> None:
        self._tracer = trace.get_tracer("rosq", tracer_provider=tracer_provider)
        self._propagator = propagator or TraceContextTextMapPropagator()
        # Filled before and emptied after, by the thread of the call or delivery.
        self._sending: dict[EnqueueCall, Span] = {}
        self._running: dict[Delivery, tuple[Span, Token[Context]]] = {}

    def before_enqueue(self, call: EnqueueCall) -> Mapping[str, str] | None:
        """Begin the producer's span, and let its context travel with the jobs."""
        if not call.jobs:
            return None
        attributes: dict[str, AttributeValue] = {
            _SYSTEM: "rosq",
            _DESTINATION: call.queue,
            _OPERATION_NAME: call.operation.value,
            _OPERATION_TYPE: "send",
        }
        if len(call.jobs) == 1:
            attributes[_MESSAGE_ID] = call.jobs[0].job_id
            attributes["rosq.lane"] = call.jobs[0].lane
            attributes["rosq.name"] = call.jobs[0].name
        else:
            attributes[_MESSAGE_COUNT] = len(call.jobs)
        span = self._tracer.start_span(
            f"{call.operation.value} {call.queue}", kind=trace.SpanKind.PRODUCER, attributes=attributes
        )
        self._sending[call] = span
        headers: dict[str, str] = {}
        self._propagator.inject(headers, trace.set_span_in_context(span))
        return headers

    def after_enqueue(self, call: EnqueueCall, end: EnqueueEnd) -> None:
        """End the producer's span."""
        span = self._sending.pop(call, None)
        if span is None:
            return
        if end.error is not None:
            _blame(span, end.error)
        elif len(end.answers) == 1:
            span.set_attribute("rosq.outcome", end.answers[0].outcome.value)
        span.end()

    def before_handler(self, worker: WorkerInfo, delivery: Delivery) -> None:
        """Begin the consumer's span, and make it the current one."""
        # From an empty context: whatever this thread did before is no part of the job.
        context = self._propagator.extract(delivery.headers, otel_context.Context())
        producer = trace.get_current_span(context).get_span_context()
        span = self._tracer.start_span(
            f"process {worker.queue}",
            context=context,
            kind=trace.SpanKind.CONSUMER,
            links=[trace.Link(producer)] if producer.is_valid else None,
            attributes={
                _SYSTEM: "rosq",
                _DESTINATION: worker.queue,
                _OPERATION_NAME: "process",
                _OPERATION_TYPE: "process",
                _MESSAGE_ID: delivery.job_id,
                _CONSUMER_GROUP: GROUP,
                _CLIENT_ID: worker.name,
                "rosq.lane": delivery.lane,
                "rosq.name": delivery.name,
                "rosq.attempt": delivery.attempt,
                "rosq.crashes": delivery.crashes,
                "rosq.fence": delivery.fence,
            },
        )
        token = otel_context.attach(trace.set_span_in_context(span, context))
        self._running[delivery] = (span, token)

    def after_handler(self, worker: WorkerInfo, delivery: Delivery, end: HandlerEnd) -> None:
        """End the consumer's span, with how it went."""
        found = self._running.pop(delivery, None)
        if found is None:
            return
        span, token = found
        otel_context.detach(token)
        if end.outcome is None:
            span.set_attribute("rosq.outcome", "lost")
            _blame(span, LeaseLost(delivery.job_id, delivery.lease.lost_reason or ""))
        else:
            span.set_attribute("rosq.outcome", end.outcome.value)
            # To snooze or release a job is no error, to fail it is, whichever way.
            if end.error is not None and end.outcome in (Outcome.RETRY, Outcome.FAIL):
                _blame(span, end.error)
        span.end()


def _blame(span: Span, error: BaseException) -> None:
    span.record_exception(error)
    span.set_attribute(_ERROR_TYPE, type(error).__name__)
    span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))
