"""Traces: what a real worker's spans come to, read from OpenTelemetry's own SDK."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import rosq
from rosq import Delivery, EnqueueOutcome, Fail, Hook, NewJob, Queue, QueueSettings, Release, Snooze, WorkerSettings
from rosq.inspect.inspector import Inspector
from rosq.opentelemetry import OpenTelemetryHook
from rosq.steering import Steering
from rosq.testing import Tally, TwiceDeliveringQueue, run_until_empty
from tests.integration.rosq.conftest import Hands, Running, settings_of
from tests.integration.rosq.execution.test_worker import Script, wait_for_state
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from tests.servers import RedisServer

PAGE = Path(rosq.__file__).parents[1] / "docs" / "tracing.md"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The events that were told as more than information."""
    return [vars(record).get("event", "") for record in caplog.records if record.levelno >= logging.WARNING]


class Spans:
    """A provider of its own, and the spans that ended with it."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def spans() -> Iterator[Spans]:
    spans = Spans()
    yield spans
    spans.provider.shutdown()


@pytest.fixture
def traced(redis_server: RedisServer, queue_name: str, spans: Spans) -> Iterator[Queue]:
    with Queue(settings_of(redis_server), queue_name, hooks=[OpenTelemetryHook(spans.provider)]) as queue:
        yield queue


def id_of(span: ReadableSpan | trace.Span) -> tuple[int, int]:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def parent_of(span: ReadableSpan) -> tuple[int, int] | None:
    return None if span.parent is None else (span.parent.trace_id, span.parent.span_id)


def outcome_of(span: ReadableSpan) -> Any:
    return (span.attributes or {}).get("rosq.outcome")


# -- one trace ---------------------------------------------------------------------------------------------------------


def test_a_trace_goes_from_the_caller_through_enqueue_retry_and_snooze_to_every_run(
    traced: Queue, spans: Spans
) -> None:
    tracer = spans.provider.get_tracer("test")
    with tracer.start_as_current_span("the caller") as caller:
        traced.enqueue({"order_id": 1}, job_id="a")

    tally = run_until_empty(traced, Script(ValueError(), Snooze(60), Release("other"), None))

    assert tally == Tally(retried=1, snoozed=1, released=1, completed=1)
    [sent] = spans.named(f"enqueue {traced.name}")
    runs = spans.named(f"process {traced.name}")
    assert parent_of(sent) == id_of(caller)
    assert [outcome_of(run) for run in runs] == ["retry", "snooze", "release", "complete"]
    for run in runs:
        assert parent_of(run) == id_of(sent)
        assert [(link.context.trace_id, link.context.span_id) for link in run.links] == [id_of(sent)]


def test_long_data_travel_with_their_trace_too(traced: Queue, spans: Spans) -> None:
    # Above 64 bytes data lie in another place of Redis.
    handler = Script(ValueError(), None)
    traced.enqueue({"text": "x" * 500}, job_id="a")

    run_until_empty(traced, handler)

    [sent] = spans.named(f"enqueue {traced.name}")
    assert {parent_of(run) for run in spans.named(f"process {traced.name}")} == {id_of(sent)}
    assert [delivery.data for delivery in handler.deliveries] == [{"text": "x" * 500}] * 2


def test_a_job_of_a_dead_holder_stays_in_its_trace(
    traced: Queue, spans: Spans, make_hands: Callable[..., Hands], start_worker: Callable[..., Running]
) -> None:
    traced.enqueue({}, job_id="a")
    assert make_hands("dead", lease_s=0.3).fetch().delivery is not None

    running = start_worker(traced, Script(), settings=WorkerSettings(lease_s=0.3))
    wait_for_state(traced, "a", rosq.JobState.COMPLETED)
    running.stop()

    [sent] = spans.named(f"enqueue {traced.name}")
    [run] = spans.named(f"process {traced.name}")
    assert parent_of(run) == id_of(sent)
    assert (run.attributes or {})["rosq.crashes"] == 1


def test_a_job_that_an_operator_starts_again_stays_in_its_trace(traced: Queue, spans: Spans) -> None:
    handler = Script(Fail("no"), None)
    traced.enqueue({}, job_id="a")
    run_until_empty(traced, handler)
    with Steering(traced.redis_settings, traced.name, by="a test", reason="to see") as steering:
        steering.retry(list(steering.see(["a"]).values()))
    run_until_empty(traced, handler)

    [sent] = spans.named(f"enqueue {traced.name}")
    assert [parent_of(run) for run in spans.named(f"process {traced.name}")] == [id_of(sent)] * 2


def test_a_job_that_is_handed_out_twice_is_in_its_trace_twice(
    redis_server: RedisServer, queue_name: str, spans: Spans, start_worker: Callable[..., Running]
) -> None:
    hook = OpenTelemetryHook(spans.provider)
    with TwiceDeliveringQueue(settings_of(redis_server), queue_name, hooks=[hook]) as queue:
        workers = [start_worker(queue, Script(), name=name) for name in ("w1", "w2")]
        with Inspector(queue.redis_settings) as inspector:
            wait_until(lambda: len(inspector.look(queue_name).workers) == 2, "both workers")
        queue.enqueue({}, job_id="a")
        wait_until(lambda: len(spans.named(f"process {queue_name}")) == 2, "both runs")
        for worker in workers:
            worker.stop()

    [sent] = spans.named(f"enqueue {queue_name}")
    assert [parent_of(run) for run in spans.named(f"process {queue_name}")] == [id_of(sent)] * 2


def test_a_job_that_is_reopened_runs_in_the_trace_that_reopened_it(traced: Queue, spans: Spans) -> None:
    traced.enqueue({}, job_id="a")
    run_until_empty(traced, Script())
    traced.reopen(NewJob(job_id="a", data={}))
    run_until_empty(traced, Script())

    [again] = spans.named(f"reopen {traced.name}")
    assert parent_of(spans.named(f"process {traced.name}")[-1]) == id_of(again)
    assert outcome_of(again) == "reopened"


def test_the_handlers_own_spans_are_children_of_its_run(traced: Queue, spans: Spans) -> None:
    tracer = spans.provider.get_tracer("test")

    def handler(delivery: Delivery) -> None:
        with tracer.start_as_current_span("inside"):
            pass

    traced.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(2)])
    run_until_empty(traced, handler)

    runs = spans.named(f"process {traced.name}")
    assert [parent_of(inner) for inner in spans.named("inside")] == [id_of(run) for run in runs]
    # Nothing stays behind in the thread.
    assert not trace.get_current_span().get_span_context().is_valid


def test_jobs_of_one_call_share_its_span(traced: Queue, spans: Spans) -> None:
    traced.enqueue_many([NewJob(job_id=str(number), data={}) for number in range(3)])
    run_until_empty(traced, Script())

    [sent] = spans.named(f"enqueue {traced.name}")
    assert (sent.attributes or {})["messaging.batch.message_count"] == 3
    assert "messaging.message.id" not in (sent.attributes or {})
    assert [parent_of(run) for run in spans.named(f"process {traced.name}")] == [id_of(sent)] * 3


def test_a_job_without_a_trace_begins_one(queue: Queue, spans: Spans) -> None:
    queue.enqueue({}, job_id="a")
    hook = OpenTelemetryHook(spans.provider)
    with (
        Queue(queue.redis_settings, queue.name, hooks=[hook]) as traced,
        spans.provider.get_tracer("test").start_as_current_span("of this thread"),
    ):
        run_until_empty(traced, Script())

    [run] = spans.named(f"process {queue.name}")
    assert run.parent is None
    assert list(run.links) == []


def test_a_trace_that_the_caller_gave_is_kept(traced: Queue, spans: Spans) -> None:
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced.enqueue_many([NewJob(job_id="a", data={}, headers={"traceparent": given})])
    run_until_empty(traced, Script())

    [run] = spans.named(f"process {traced.name}")
    assert run.parent is not None
    assert format(run.parent.trace_id, "032x") == "0af7651916cd43dd8448eb211c80319c"
    assert format(run.parent.span_id, "016x") == "b7ad6b7169203331"


def test_the_same_job_from_another_trace_is_a_duplicate_and_keeps_the_first(traced: Queue, spans: Spans) -> None:
    traced.enqueue({"n": 1}, job_id="short")
    traced.enqueue({"n": "x" * 500}, job_id="long")
    again = [traced.enqueue({"n": 1}, job_id="short"), traced.enqueue({"n": "x" * 500}, job_id="long")]
    run_until_empty(traced, Script())

    assert [each.outcome for each in again] == [EnqueueOutcome.DUPLICATE] * 2
    sent = spans.named(f"enqueue {traced.name}")
    assert [outcome_of(span) for span in sent] == ["created", "created", "duplicate", "duplicate"]
    assert [parent_of(run) for run in spans.named(f"process {traced.name}")] == [id_of(span) for span in sent[:2]]


# -- what spans say ----------------------------------------------------------------------------------------------------


def test_spans_carry_the_attributes_of_the_conventions(traced: Queue, spans: Spans) -> None:
    traced.enqueue({}, job_id="a", lane="urgent", name="letter")
    run_until_empty(traced, Script())

    [sent] = spans.named(f"enqueue {traced.name}")
    [run] = spans.named(f"process {traced.name}")
    assert sent.kind is SpanKind.PRODUCER
    assert dict(sent.attributes or {}) == {
        "messaging.system": "rosq",
        "messaging.destination.name": traced.name,
        "messaging.operation.name": "enqueue",
        "messaging.operation.type": "send",
        "messaging.message.id": "a",
        "rosq.lane": "urgent",
        "rosq.name": "letter",
        "rosq.outcome": "created",
    }
    assert run.kind is SpanKind.CONSUMER
    told = dict(run.attributes or {})
    assert str(told.pop("messaging.client.id")).startswith("testing-")
    assert int(str(told.pop("rosq.fence"))) > 0
    assert told == {
        "messaging.system": "rosq",
        "messaging.destination.name": traced.name,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": "a",
        "messaging.consumer.group.name": "workers",
        "rosq.lane": "urgent",
        "rosq.name": "letter",
        "rosq.attempt": 1,
        "rosq.crashes": 0,
        "rosq.outcome": "complete",
    }


@pytest.mark.parametrize(
    ("raised", "outcome", "status", "error_type"),
    [
        (ValueError("no"), "retry", StatusCode.ERROR, "ValueError"),
        (Fail("no"), "fail", StatusCode.ERROR, "Fail"),
        (Snooze(1), "snooze", StatusCode.UNSET, None),
        (Release(), "release", StatusCode.UNSET, None),
    ],
    ids=["retry", "fail", "snooze", "release"],
)
def test_only_failures_are_errors_of_a_run(
    traced: Queue, spans: Spans, raised: Exception, outcome: str, status: StatusCode, error_type: str | None
) -> None:
    traced.enqueue({}, job_id="a")
    run_until_empty(traced, Script(raised))

    run = spans.named(f"process {traced.name}")[0]
    assert outcome_of(run) == outcome
    assert run.status.status_code is status
    assert (run.attributes or {}).get("error.type") == error_type
    assert [event.name for event in run.events] == (["exception"] if error_type else [])


def test_a_lost_lease_is_an_error_of_the_run(traced: Queue, spans: Spans, start_worker: Callable[..., Running]) -> None:
    def handler(delivery: Delivery) -> None:
        delivery.lease.lose("a test took it")
        running.worker.request_stop()

    running = start_worker(traced, handler)
    traced.enqueue({}, job_id="a")
    running.join()

    [run] = spans.named(f"process {traced.name}")
    assert outcome_of(run) == "lost"
    assert run.status.status_code is StatusCode.ERROR
    assert "a test took it" in str(run.status.description)


def test_an_enqueue_that_raises_is_an_error_of_its_span(traced: Queue, spans: Spans) -> None:
    with pytest.raises(rosq.InvalidName):
        traced.enqueue({}, job_id=" ")

    [sent] = spans.all()
    assert sent.status.status_code is StatusCode.ERROR
    assert (sent.attributes or {})["error.type"] == "InvalidName"


def test_nothing_is_traced_where_nothing_is_put(traced: Queue, spans: Spans) -> None:
    assert traced.enqueue_many([]) == []
    assert spans.all() == []


def test_without_an_sdk_jobs_run_and_carry_nothing(redis_server: RedisServer, queue_name: str) -> None:
    handler = Script()
    hook = OpenTelemetryHook(trace.NoOpTracerProvider())
    with Queue(settings_of(redis_server), queue_name, hooks=[hook]) as queue:
        queue.enqueue({}, job_id="a")
        assert run_until_empty(queue, handler) == Tally(completed=1)

    assert dict(handler.deliveries[0].headers) == {}


# -- headers of hooks --------------------------------------------------------------------------------------------------


class Adds(Hook):
    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def before_enqueue(self, call: Any) -> Any:
        return self._headers


def test_headers_of_hooks_come_together_and_the_callers_stand(redis_server: RedisServer, queue_name: str) -> None:
    handler = Script()
    hooks = [Adds({"a": "1", "b": "1", "c": "1"}), Adds(None), Adds({"b": "2"})]
    with Queue(settings_of(redis_server), queue_name, hooks=hooks) as queue:
        queue.enqueue_many([NewJob(job_id="a", data={}, headers={"c": "mine"})])
        run_until_empty(queue, handler)

    assert dict(handler.deliveries[0].headers) == {"a": "1", "b": "2", "c": "mine"}


@pytest.mark.parametrize("headers", [{"a": 1}, {2: "b"}, "text", 7], ids=repr)
def test_headers_that_a_job_cannot_carry_are_the_hooks_fault(
    redis_server: RedisServer, queue_name: str, caplog: pytest.LogCaptureFixture, headers: Any
) -> None:
    handler = Script()
    with Queue(settings_of(redis_server), queue_name, hooks=[Adds(headers), Adds({"b": "2"})]) as queue:
        queue.enqueue({}, job_id="a")
        run_until_empty(queue, handler)

    assert dict(handler.deliveries[0].headers) == {"b": "2"}
    assert warnings(caplog) == ["hook_failed"]


def test_headers_that_make_a_job_too_long_are_left_out(
    redis_server: RedisServer, queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Script()
    settings = QueueSettings(max_data_bytes=100)
    with Queue(settings_of(redis_server), queue_name, settings, hooks=[Adds({"long": "x" * 90})]) as queue:
        enqueued = queue.enqueue({"n": "x" * 50}, job_id="a")
        with pytest.raises(rosq.InvalidData, match="100 are allowed"):
            queue.enqueue({"n": "x" * 200}, job_id="b")
        run_until_empty(queue, handler)

    assert enqueued.outcome is EnqueueOutcome.CREATED
    assert [dict(delivery.headers) for delivery in handler.deliveries] == [{}]
    assert warnings(caplog) == ["headers_left_out"]


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_lists_every_attribute(traced: Queue, spans: Spans) -> None:
    traced.enqueue_many([NewJob(job_id="a", data={}), NewJob(job_id="b", data={})])
    traced.enqueue({}, job_id="c")
    run_until_empty(traced, Script(ValueError()))

    documented = set(re.findall(r"`((?:messaging|rosq|error)\.[a-z_.]+)`", PAGE.read_text(encoding="utf-8")))
    used = {name for span in spans.all() for name in span.attributes or {}}
    assert documented - {"rosq.opentelemetry"} == used
