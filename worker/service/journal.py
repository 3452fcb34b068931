"""What one delivery tells the orders service about its order, and the order as the service last answered it.

Decisions are asked while the lease lasts: their retries sleep by the delivery, which raises once it is lost or a stop's
grace is over. Facts are told even then, for a short while, and to a service that fails over them, too: what the portal
answered must not be lost because somebody else has the order by now, or because of a defect.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from orders_service.v1 import worker_pb2
from rosq import JobSignal, LeaseLost
from worker.service.errors import ServiceDefect, ServiceUnreachable
from worker.service.reporter import CALL_TIMEOUT_S, PATIENCE_S, clean, duration, log_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from google.protobuf.timestamp_pb2 import Timestamp

    from orders_service.v1 import worker_pb2_grpc
    from rosq import Delivery
    from worker.service.reporter import Reporter

#: How long a fact is still told after the lease was lost or a stop's grace was over.
FACT_GRACE_S: Final = 15.0
#: How long putting the order down is tried on the way out, and one answer waited for: together less than what the
#: queue gives a process between grace and end. Without it the lease runs out, which is as safe and slower.
RELEASE_PATIENCE_S: Final = 1.5
RELEASE_TIMEOUT_S: Final = 2.0
UPLOAD_TIMEOUT_S: Final = 300.0
CHUNK_BYTES: Final = 1024 * 1024
MAX_STEP: Final = 64

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What an order met that is neither its own fault nor its account's.

    Attributes:
        step: At which step; each is counted by itself.
        limit: After how often a person decides; 0: by time alone.
    """

    step: str
    limit: int


class OrderJournal:
    """Reports for one delivery. `order` is what the service answered last. Not for several threads."""

    def __init__(self, reporter: Reporter, delivery: Delivery, *, account: str, epoch: int, order_id: int) -> None:
        self._reporter = reporter
        self._delivery = delivery
        self._holder = worker_pb2.OrderHolder(
            account=account, epoch=epoch, order_id=order_id, fence=delivery.fence, token=delivery.token
        )
        self.order = worker_pb2.OrderInHand(order_id=order_id)

    @property
    def as_of(self) -> Timestamp:
        """The database's clock at the last answer: a reading that begins now may claim this time."""
        copy = type(self.order.as_of)()
        copy.CopyFrom(self.order.as_of)
        return copy

    @property
    def stub(self) -> worker_pb2_grpc.WorkerServiceStub:
        """The service's calls."""
        return self._reporter.stub

    # Decisions

    def claim(self) -> worker_pb2.OrderInHand:
        """Take the order in hand."""
        request = worker_pb2.ClaimOrderRequest(holder=self._holder)
        return self._decide(lambda: self.stub.ClaimOrder(request, timeout=CALL_TIMEOUT_S).order)

    def record_intent(self, submission: worker_pb2.OrderSubmission) -> worker_pb2.OrderInHand:
        """Write the intent; the answer's submission is the one to use."""
        request = worker_pb2.RecordIntentRequest(holder=self._holder, submission=submission)
        return self._decide(lambda: self.stub.RecordIntent(request, timeout=CALL_TIMEOUT_S).order)

    def record_upload(self) -> worker_pb2.OrderInHand:
        """Journal that the portal has the statement."""
        request = worker_pb2.RecordUploadRequest(holder=self._holder)
        return self._decide(lambda: self.stub.RecordUpload(request, timeout=CALL_TIMEOUT_S).order)

    def pass_gate(
        self, send_id: str, *, absent_after_s: float, is_portal_on_loopback: bool, patience_s: float
    ) -> worker_pb2.OrderInHand:
        """Pass the gate. A lost answer is asked again with the same `send_id`.

        Args:
            patience_s: How long to ask; short, as the paid call's connection stands open meanwhile.
        """
        request = worker_pb2.PassGateRequest(
            holder=self._holder,
            send_id=send_id,
            absent_after=duration(absent_after_s),
            is_portal_on_loopback=is_portal_on_loopback,
        )
        return self._decide(lambda: self.stub.PassGate(request, timeout=CALL_TIMEOUT_S).order, patience_s=patience_s)

    def record_not_found(self, *, recheck_s: float) -> worker_pb2.OrderInHand:
        """The portal doesn't know the object."""
        request = worker_pb2.RecordNotFoundRequest(holder=self._holder, recheck_in=duration(recheck_s))
        return self._decide(lambda: self.stub.RecordNotFound(request, timeout=CALL_TIMEOUT_S).order)

    def record_check(self, row: worker_pb2.ApplicationRow | None, *, next_check_s: float) -> worker_pb2.OrderInHand:
        """A registered order isn't ready yet."""
        request = worker_pb2.RecordCheckRequest(holder=self._holder, row=row, next_check_in=duration(next_check_s))
        return self._decide(lambda: self.stub.RecordCheck(request, timeout=CALL_TIMEOUT_S).order)

    def fail(self, reason: str, *, is_portal_verdict: bool = False) -> worker_pb2.OrderInHand:
        """The order can't be fulfilled: it fails, or where money may have gone it is held for a person."""
        request = worker_pb2.FailOrderRequest(
            holder=self._holder, reason=clean(reason), is_portal_verdict=is_portal_verdict
        )
        return self._decide(lambda: self.stub.FailOrder(request, timeout=CALL_TIMEOUT_S).order)

    def release(
        self, reason: str, *, delay_s: float, trouble: Trouble | None = None, is_on_the_way_out: bool = False
    ) -> worker_pb2.OrderInHand:
        """Put the order down; the answer's lane is where its job belongs.

        Args:
            delay_s: Until its next look; with trouble the first pause, and the answer says how long it is by now.
            trouble: What the order met: counted, and in the end the order is held.
            is_on_the_way_out: The lease may be lost or the stop's grace over: try for a moment only.
        """
        request = worker_pb2.ReleaseOrderRequest(holder=self._holder, reason=clean(reason), delay=duration(delay_s))
        if trouble is not None:
            request.trouble.step, request.trouble.limit = clean(trouble.step, MAX_STEP), trouble.limit

        timeout_s = RELEASE_TIMEOUT_S if is_on_the_way_out else CALL_TIMEOUT_S

        def call() -> worker_pb2.OrderInHand:
            return self.stub.ReleaseOrder(request, timeout=timeout_s).order

        if not is_on_the_way_out:
            return self._decide(call)
        self.order = self._reporter.ask(call, sleep=time.sleep, patience_s=RELEASE_PATIENCE_S)
        return self.order

    def upload_paper(self, header: worker_pb2.PaperHeader, path: Path) -> worker_pb2.OrderInHand:
        """Bring the paper in `path`. `header.holder` is filled in."""
        header.holder.CopyFrom(self._holder)
        return self._decide(lambda: self.stub.UploadPaper(_parts(header, path), timeout=UPLOAD_TIMEOUT_S).order)

    # Facts

    def record_answer(
        self, send_id: str, *, http_status: int, text: str, expected_number: str
    ) -> worker_pb2.OrderInHand:
        """What the paid call was answered, or (status 0) why no answer came."""
        answer = worker_pb2.FinishAnswer(http_status=http_status, text=clean(text), expected_number=expected_number)
        return self._tell(worker_pb2.RecordFactRequest(holder=self._holder, send_id=send_id, finish_answer=answer))

    def record_not_sent(self, send_id: str, reason: str) -> worker_pb2.OrderInHand:
        """No byte of the paid call left this process."""
        fact = worker_pb2.NotSent(reason=clean(reason))
        return self._tell(worker_pb2.RecordFactRequest(holder=self._holder, send_id=send_id, not_sent=fact))

    def record_refusal(self, *, step: str, http_status: int, text: str) -> worker_pb2.OrderInHand:
        """The portal refused another step."""
        fact = worker_pb2.PortalRefusal(step=step, http_status=http_status, text=clean(text))
        return self._tell(worker_pb2.RecordFactRequest(holder=self._holder, refusal=fact))

    def record_reading(self, send_id: str, reading: worker_pb2.ListReading) -> worker_pb2.OrderInHand:
        """What the account's list showed."""
        return self._tell(worker_pb2.RecordFactRequest(holder=self._holder, send_id=send_id, reading=reading))

    def _decide(
        self, call: Callable[[], worker_pb2.OrderInHand], *, patience_s: float = PATIENCE_S
    ) -> worker_pb2.OrderInHand:
        # Learning here that the lease is gone is earlier, and cheaper, than by a refusal.
        self._delivery.check()
        self.order = self._reporter.ask(call, sleep=self._delivery.sleep, patience_s=patience_s)
        return self.order

    def _tell(self, request: worker_pb2.RecordFactRequest) -> worker_pb2.OrderInHand:
        retrying = Retrying(
            # A service that fails over it, or doesn't let this worker in, may be mended meanwhile: a decision can be
            # asked for again, what isn't kept of a fact is lost.
            retry=retry_if_exception_type((ServiceUnreachable, ServiceDefect)),
            wait=wait_random_exponential(multiplier=0.2, max=3.0),
            stop=self._is_telling_over,
            before_sleep=log_retry,
            reraise=True,
        )
        self.order = retrying(self._reporter.once, lambda: self.stub.RecordFact(request, timeout=CALL_TIMEOUT_S).order)
        return self.order

    def _is_telling_over(self, state: RetryCallState) -> bool:
        try:
            self._delivery.check()
        except (JobSignal, LeaseLost):
            return (state.seconds_since_start or 0.0) >= FACT_GRACE_S
        return (state.seconds_since_start or 0.0) >= PATIENCE_S


def _parts(header: worker_pb2.PaperHeader, path: Path) -> Iterator[worker_pb2.UploadPaperRequest]:
    yield worker_pb2.UploadPaperRequest(header=header)
    with path.open("rb") as paper:
        while chunk := paper.read(CHUNK_BYTES):
            yield worker_pb2.UploadPaperRequest(chunk=chunk)
