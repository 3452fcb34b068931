"""Whatever an order may wait for has an end: somebody takes it up, or a person is told."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from orders_service.domain import facts
from orders_service.life import claiming, reporting, unattended
from orders_service.life.weighing import MAX_WEIGHINGS
from tests.integration.orders_service.life.bench import PERSON, Bench, refused, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.domain.orders import Holder

OTHER = "77:01:0001001:1002"


def leave(bench: Bench) -> None:
    """Nobody has given a sign of life of any order for a while."""
    bench.execute(
        "update orders set seen_at = seen_at - interval '301 s', updated_at = updated_at - interval '301 s', "
        "next_at = next_at - interval '301 s'"
    )


def unbind(bench: Bench) -> int:
    return len(bench.run(unattended.unbind_abandoned(bench.db)))


def not_sent(bench: Bench) -> Holder:
    holder = bench.sent()
    bench.tell(holder, facts.NotSent(reason="closed"))
    return holder


@pytest.mark.parametrize("make", [Bench.uploaded, not_sent], ids=["never sent", "not sent"])
def test_what_an_account_bound_and_left_goes_to_any_account(bench: Bench, make: Callable[[Bench], Holder]) -> None:
    bench.add_account("second")
    holder = make(bench)
    assert unbind(bench) == 0, "it is in hand"
    leave(bench)

    assert unbind(bench) == 1
    assert unbind(bench) == 0

    order = bench.order(holder.order_id)
    assert (order["state"], order["rosreestr_user_id"], order["bound_at"], order["person_oid"]) == ("queued",) + (
        None,
    ) * 3
    assert bench.events(holder.order_id, "transition")[-1]["actor"] == "reconciler"
    bench.intend(bench.claim(holder.order_id, "second"))
    # A worker that was only slow is told so at its next step, and pays nothing.
    for step in (bench.upload, bench.gate, bench.release):
        with refused("STALE_FENCE"):
            step(holder)


def test_a_slow_worker_whose_order_was_unbound_passes_no_gate(bench: Bench) -> None:
    holder = bench.uploaded()
    leave(bench)
    unbind(bench)

    with refused("WRONG_STATE"):
        bench.gate(holder)

    assert bench.sends(holder.order_id) == []


@pytest.mark.parametrize("make", ["claimed", "sent", "absent", "registered", "held"])
def test_what_isnt_bound_may_be_paid_or_waits_for_a_person_is_left_with_its_account(bench: Bench, make: str) -> None:
    holder = {
        "claimed": lambda: bench.claim(bench.add_order()),
        "sent": bench.sent,
        "absent": bench.sent,
        "registered": bench.registered,
        "held": bench.uploaded,
    }[make]()
    if make == "absent":
        bench.make_absent(holder)
    if make == "held":
        bench.execute("update orders set hold_reason = 'why', hold_at = now(), seen_at = null")
    leave(bench)
    before = bench.snapshot(holder.order_id)

    assert unbind(bench) == 0

    assert bench.snapshot(holder.order_id) == before


def test_an_object_that_was_found_meanwhile_isnt_failed_by_one_not_found(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())
    bench.run(reporting.record_not_found(bench.db, holder, recheck_s=600))
    bench.execute("update orders set not_found_at = not_found_at - interval '5 h'")
    found = bench.claim(holder.order_id)
    bench.intend(found)
    bench.release(found)

    bench.run(reporting.record_not_found(bench.db, bench.claim(holder.order_id), recheck_s=600))

    assert bench.state(holder.order_id) == "queued"


def test_not_sent_of_a_send_that_the_gate_doesnt_know_closes_the_gate_for_it(bench: Bench) -> None:
    """The gate's call was given up by its worker, and comes later: nobody would send."""
    holder = bench.uploaded()
    send_id = uuid.uuid4()

    with refused("SEND_UNKNOWN"):
        bench.tell(holder, facts.NotSent(reason="no answer of the gate"), send_id)
    with refused("WRONG_STATE", need="send_id"):
        bench.gate(holder, send_id)

    assert bench.state(holder.order_id) == "processing"
    with refused("SEND_UNKNOWN"):
        bench.tell(holder, facts.NotSent(reason="no answer of the gate"), send_id)
    assert bench.gate(holder).order.state == "unconfirmed"


def test_the_buried_send_is_refused_by_the_gates_own_statement_too(bench: Bench) -> None:
    holder = bench.uploaded()
    send_id = uuid.uuid4()
    bench.execute(
        "insert into unsent_sends (send_id, order_id, username) values (%(send)s, %(id)s, 'first')",
        send=send_id,
        id=holder.order_id,
    )

    with refused("WRONG_STATE"):
        bench.gate(holder, send_id)


def newer(bench: Bench, how: str) -> Holder:
    """An order that was sent, and of which a newer service kept what nobody here can read."""
    holder = bench.sent()
    later = bench.claim(holder.order_id)
    bench.read(holder, row(901, "N-1"))
    if how == "of a newer version":
        bench.execute("""update facts set version = 2, content = '{"lines": []}'""")
    else:
        bench.execute("alter table facts drop constraint facts_kind_check")
        bench.execute("update facts set kind = 'picture'")
    return later


HOW = ["of a newer version", "of a newer kind"]


@pytest.mark.parametrize("how", HOW)
def test_a_fact_of_a_newer_version_is_kept_and_stops_nobody(bench: Bench, how: str) -> None:
    newer(bench, how)

    claimed = bench.run(claiming.claim_order(bench.db, bench.delivery(1)))

    assert claimed.order.state == "unconfirmed"
    assert bench.order(1)["hold_reason"] is None
    assert bench.one("select weighed_at, failed_weighings from facts") == {"weighed_at": None, "failed_weighings": 1}


@pytest.mark.parametrize("how", HOW)
def test_a_fact_of_a_newer_version_is_for_a_person_after_some_tries_a_minute_apart(bench: Bench, how: str) -> None:
    holder = newer(bench, how)

    for tries in range(1, MAX_WEIGHINGS + 1):
        assert bench.order(1)["hold_reason"] is None, tries
        bench.tell(holder, facts.PortalRefusal(step=f"step {tries}", http_status=500, text=""))
        bench.tell(holder, facts.PortalRefusal(step=f"at once {tries}", http_status=500, text=""))
        assert bench.one("select failed_weighings as tries from facts order by id limit 1")["tries"] == tries
        bench.execute("update facts set failed_at = failed_at - interval '1 minute'")

    assert "can't be weighed" in bench.order(1)["hold_reason"]
    assert len(bench.events(1, "alarm")) == 1
    assert bench.one("select weighed_at from facts order by id limit 1")["weighed_at"] is None, "and kept all the same"


def wait(bench: Bench, state: str) -> int:
    """An order that stands so, with a fact that nobody has weighed."""
    holder = bench.completed() if state == "completed" else bench.sent()
    if state == "processing":
        bench.make_absent(holder)
    elif state == "registered":
        bench.read(holder, row(901, "N-1"))
    elif state == "failed":
        bench.give_up(holder.order_id)
    elif state == "cancelled":
        bench.tell(holder, facts.NotSent(reason="closed"))
        bench.execute("update orders set state = 'cancelled', finished_at = now()")
    bench.execute("update orders set seen_at = null")
    bench.execute("update facts set weighed_at = now()")
    bench.tell(bench.delivery(holder.order_id), facts.PortalRefusal(step="search", http_status=500, text=""))
    bench.execute("update facts set weighed_at = null where id = (select max(id) from facts)")
    return holder.order_id


SPOIL: dict[str, str] = {
    "of a newer version": "version = 2",
    "that no version can read": "content = '[]'",
}


@pytest.mark.parametrize("how", SPOIL)
@pytest.mark.parametrize("state", ["processing", "unconfirmed", "registered", "completed", "failed", "cancelled"])
def test_what_cant_be_weighed_is_told_once_in_whatever_state_the_order_is(bench: Bench, state: str, how: str) -> None:
    order_id = wait(bench, state)
    bench.execute(f"update facts set {SPOIL[how]} where weighed_at is null")

    weighed = 0
    for minute in range(3 * MAX_WEIGHINGS):
        if minute == 2 * MAX_WEIGHINGS:
            # As far as a count that isn't bounded would have come in three weeks.
            bench.execute("update facts set failed_weighings = 32767 where weighed_at is null")
        weighed = bench.run(unattended.weigh_unheld_facts(bench.db))
        bench.execute("update facts set failed_at = failed_at - interval '1 minute'")

    assert weighed == 0, "it isn't even looked at any more"
    assert len(bench.events(order_id, "alarm")) == 1
    is_over = state in ("completed", "failed", "cancelled")
    assert (bench.order(order_id)["hold_reason"] is None) is is_over
    assert bench.one("select weighed_at from facts where id = (select max(id) from facts)")["weighed_at"] is None, (
        "kept"
    )


def test_a_newer_service_weighs_what_was_told_to_a_person_of_an_order_that_is_over(bench: Bench) -> None:
    order_id = wait(bench, "completed")
    bench.execute(f"update facts set failed_weighings = {MAX_WEIGHINGS}, failed_at = now() - interval '61 minutes'")

    assert bench.run(unattended.weigh_unheld_facts(bench.db)) == 1

    assert len(bench.events(order_id, "refusal")) == 2, "told, and weighed anew"


def test_a_fact_of_a_newer_version_is_weighed_once_a_newer_service_is_there(bench: Bench) -> None:
    newer(bench, "of a newer version")
    bench.run(claiming.claim_order(bench.db, bench.delivery(1)))
    content = facts.ListReading(
        begun_at=bench.one("select recorded_at from facts")["recorded_at"],
        person_oid=PERSON,
        is_unfiltered=True,
        is_complete=True,
        balance=50,
        rows=(row(901, "N-1"),),
        rows_in_all=1,
    ).content()
    bench.execute("update facts set version = 1, content = %(content)s::jsonb", content=json.dumps(content))
    bench.execute("update orders set seen_at = null")

    assert bench.run(unattended.weigh_unheld_facts(bench.db)) == 1

    assert bench.state(1) == "registered"


#: What must not be done while something was seen that may say that the order is paid.
STEPS: dict[str, Callable[[Bench, Holder], object]] = {
    "gate": lambda bench, holder: bench.gate(holder),
    "failure": lambda bench, holder: bench.fail(holder),
    "second not found": lambda bench, holder: bench.run(reporting.record_not_found(bench.db, holder, recheck_s=1)),
}


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_sent_or_ended_while_a_fact_waits_for_a_newer_version(bench: Bench, step: str) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    later = bench.claim(holder.order_id)
    bench.intend(later)
    bench.read(later)
    bench.execute("update facts set version = 2, weighed_at = null where id = (select max(id) from facts)")
    bench.execute("update orders set not_found_at = now() - interval '1 h'")

    with refused("WRONG_STATE", need="facts"):
        STEPS[step](bench, later)

    assert bench.state(holder.order_id) == "processing"
    assert [send["outcome"] for send in bench.sends(holder.order_id)] == ["absent"]


def test_an_order_isnt_failed_with_its_job_while_a_fact_waits_for_a_newer_version(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    later = bench.claim(holder.order_id)
    bench.execute("update facts set version = 2, weighed_at = null where id = (select max(id) from facts)")
    bench.execute("update orders set seen_at = null")

    verdict = bench.run(unattended.fail_by_queue(bench.db, holder.order_id, fence=later.fence, error="x"))

    assert verdict is unattended.Verdict.LEFT_ALONE


def absent_and_failed(bench: Bench, holder: Holder) -> None:
    bench.make_absent(holder)
    bench.fail(bench.claim(holder.order_id))


def absent_and_failed_with_its_job(bench: Bench, holder: Holder) -> None:
    bench.make_absent(holder)
    bench.execute("update orders set seen_at = null")
    bench.run(unattended.fail_by_queue(bench.db, holder.order_id, fence=holder.fence, error="x"))


ENDS: dict[str, Callable[[Bench, Holder], Any]] = {
    "absent, then failed": absent_and_failed,
    "absent, then failed with its job": absent_and_failed_with_its_job,
    "given up while it was looked for": lambda bench, holder: bench.give_up(holder.order_id),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_failed_order_that_may_have_been_sent_is_looked_for_a_day_later(bench: Bench, end: str) -> None:
    holder = bench.sent()
    ENDS[end](bench, holder)
    wait = bench.one("select extract(epoch from look_at - clock_timestamp()) / 3600 as h from orders")["h"]
    assert 23 < wait <= 24
    bench.execute("update orders set look_at = clock_timestamp()")

    claimed = bench.run(claiming.claim_order(bench.db, bench.delivery(holder.order_id)))
    assert claimed.is_look_due
    assert claimed.order.lane == "@first"
    bench.read(holder, row(901, "N-1"))

    (alarm,) = bench.events(holder.order_id, "alarm")
    assert "N-1" in alarm["reason"]
    assert bench.order(holder.order_id)["look_at"] is None, "once is enough"


def test_an_order_that_failed_before_anything_was_sent_is_not_looked_for(bench: Bench) -> None:
    holder = bench.uploaded()
    bench.fail(holder)

    assert bench.order(holder.order_id)["look_at"] is None


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_registered_order_that_doesnt_get_ready_is_told_to_a_person_after_three_days_and_once(
    bench: Bench, is_shown: bool
) -> None:
    holder = bench.registered()
    # As the system before ordered it: no send says how long its row may be missing.
    bench.execute("update sends set outcome = 'not_sent'")
    shown = row(901, "N-1") if is_shown else None
    bench.execute("update orders set registered_at = now() - interval '71 hours'")
    assert bench.check(holder, row=shown).order.hold_reason is None
    bench.execute("update orders set registered_at = now() - interval '73 hours'")

    told = bench.check(holder, row=shown).order.hold_reason

    assert told is not None
    assert "72 h" in told
    assert "N-1" in told
    bench.resume(holder.order_id)
    assert bench.check(bench.claim(holder.order_id), row=shown).order.hold_reason is None
