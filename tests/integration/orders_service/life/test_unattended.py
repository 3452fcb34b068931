"""Orders that nobody has in hand: their jobs failed, or a person holds them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from orders_service.domain.orders import OrderInHand
from orders_service.life import unattended
from orders_service.life.unattended import Verdict
from tests.integration.orders_service.life.bench import Bench, row

if TYPE_CHECKING:
    import pytest

    from orders_service.domain.orders import Holder


def queue_failed(bench: Bench, holder: Holder, error: str = "три раза", **changes: int) -> Verdict:
    fence = changes.get("fence", holder.fence)
    return bench.run(unattended.fail_by_queue(bench.db, holder.order_id, fence=fence, error=error))


def put_down(bench: Bench) -> None:
    """As it is when the last sign of life is older than a lease."""
    bench.execute("update orders set seen_at = now() - interval '1 h' where seen_at is not null")


def test_with_its_job_an_order_fails_that_isnt_paid(bench: Bench) -> None:
    queued = bench.add_order()
    processing = bench.uploaded(cad_num="77:01:0001001:1002")
    put_down(bench)

    assert queue_failed(bench, bench.delivery(queued), fence=0) is Verdict.FAILED
    assert queue_failed(bench, processing) is Verdict.FAILED

    assert bench.order(queued)["status"] == "Ошибка: три раза"
    assert bench.order(processing.order_id)["status"] == "Ошибка: три раза"
    assert bench.events(queued, "transition")[-1]["actor"] == "reconciler"


def test_with_its_job_an_order_is_held_that_may_be_paid(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    holders = [bench.sent(), bench.registered(cad_num="77:01:0001001:1002")]
    put_down(bench)

    for holder, state in zip(holders, ("unconfirmed", "registered"), strict=True):
        assert queue_failed(bench, holder) is Verdict.HELD
        order = bench.order(holder.order_id)
        assert order["state"] == state
        assert "три раза" in order["hold_reason"]
        assert queue_failed(bench, holder) is Verdict.LEFT_ALONE

    held = [record for record in caplog.records if record.__dict__.get("event") == "order_held"]
    assert [record.levelno for record in held] == [logging.ERROR] * 2


def test_facts_that_wait_are_weighed_before_an_order_fails_with_its_job(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    later = bench.claim(holder.order_id)
    bench.read(holder, row(901, "N-1"))
    put_down(bench)

    assert queue_failed(bench, later) is Verdict.HELD

    assert bench.state(holder.order_id) == "registered"


def test_an_order_that_somebody_went_on_with_is_left_alone(bench: Bench) -> None:
    holder = bench.uploaded()

    assert queue_failed(bench, holder) is Verdict.LEFT_ALONE  # in hand
    later = bench.claim(holder.order_id)
    put_down(bench)
    assert queue_failed(bench, holder) is Verdict.LEFT_ALONE  # an older fence
    with bench.database.connect(autocommit=False) as other:
        other.execute("select 1 from orders for update")
        assert queue_failed(bench, later) is Verdict.LEFT_ALONE  # somebody decides at this moment
    assert queue_failed(bench, bench.delivery(404)) is Verdict.LEFT_ALONE

    assert bench.state(holder.order_id) == "processing"


def test_a_claim_and_a_failed_job_at_the_same_moment_leave_one_of_both(bench: Bench) -> None:
    holder = bench.uploaded()
    put_down(bench)

    async def both() -> tuple[object, object]:
        claim = bench.claim_async(bench.delivery(holder.order_id))
        fail = unattended.fail_by_queue(bench.db, holder.order_id, fence=holder.fence, error="три раза")
        return await asyncio.gather(claim, fail, return_exceptions=True)

    claimed, verdict = bench.run(both())

    assert isinstance(claimed, OrderInHand)
    is_failed = verdict is Verdict.FAILED
    assert claimed.order.state == ("failed" if is_failed else "processing")
    assert bench.state(holder.order_id) == claimed.order.state
