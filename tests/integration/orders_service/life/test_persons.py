"""Lists, numbers and balances are a person's at the portal: so are the guards; an account that is another stands by."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.accounts import manage
from orders_service.accounts.session import of_names
from orders_service.accounts.validation import AccountChange
from orders_service.crypto import Secretbox
from orders_service.domain import facts
from orders_service.life import claiming, submitting
from tests.integration.orders_service.life.bench import BALANCE, PERSON, Bench, refused, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.domain.orders import Holder

OTHER = "77:01:0001001:1002"


def account(bench: Bench, username: str) -> dict[str, Any]:
    return bench.one("select * from rosreestr_users where username = %(name)s", name=username)


def take_over(bench: Bench) -> None:
    """The account `second` goes on as the person that `first` was until now; what `first` registered stays its own."""
    bench.add_account("second")
    bench.execute("update rosreestr_users set is_active = false where username = 'first'")
    bench.execute("update rosreestr_users set person_oid = %(oid)s where username = 'second'", oid=PERSON)


def uploaded(bench: Bench, username: str, cad_num: str = OTHER) -> Holder:
    """An order of this account one step before the gate, as the person that all accounts are here."""
    holder = bench.claim(bench.add_order(cad_num), username)
    bench.intend(holder, person_oid=PERSON)
    bench.upload(holder)
    return holder


def test_an_account_learns_who_it_is_at_its_first_intent(bench: Bench) -> None:
    assert account(bench, "first")["person_oid"] is None

    bench.uploaded()

    assert account(bench, "first")["person_oid"] == PERSON
    assert bench.order(1)["person_oid"] == PERSON


def test_a_second_account_of_one_person_stands_by_and_lets_its_order_go(bench: Bench) -> None:
    bench.add_account("second")
    bench.add_account("third")
    bench.uploaded()
    holder = bench.claim(bench.add_order(OTHER), "second")

    with refused("ACCOUNT_ON_STANDBY"):
        bench.intend(holder, person_oid=PERSON)

    second = account(bench, "second")
    assert (second["standby_kind"], second["person_oid"], second["standby_until"]) == ("person_needed", None, None)
    assert "same person at the portal as account first" in second["standby_reason"]
    assert bench.state(holder.order_id) == "queued"
    with refused("ACCOUNT_ON_STANDBY"):
        bench.claim(holder.order_id, "second")
    bench.intend(bench.claim(holder.order_id, "third"))


def test_the_second_account_takes_the_others_place_once_that_one_is_deactivated(bench: Bench) -> None:
    bench.add_account("second")
    bench.uploaded()
    with refused("ACCOUNT_ON_STANDBY"):
        bench.intend(bench.claim(bench.add_order(OTHER), "second"), person_oid=PERSON)

    with pytest.raises(errors.SamePerson, match="account first"):
        bench.run(manage.activate_account(bench.db, "second"))
    bench.run(manage.deactivate_account(bench.db, "first"))
    bench.run(manage.activate_account(bench.db, "second"))

    assert account(bench, "second")["person_oid"] == PERSON
    uploaded(bench, "second")
    with pytest.raises(errors.SamePerson, match="account second"):
        bench.run(manage.activate_account(bench.db, "first"))


def test_the_second_account_goes_on_with_a_login_of_its_own(bench: Bench) -> None:
    bench.add_account("second")
    bench.uploaded()
    order_id = bench.add_order(OTHER)
    with refused("ACCOUNT_ON_STANDBY"):
        bench.intend(bench.claim(order_id, "second"), person_oid=PERSON)

    change = AccountChange(session=of_names({"sid": "of-its-own"}))
    bench.run(manage.update_account(bench.db, Secretbox("secret of the tests"), "second", change))
    bench.intend(bench.claim(order_id, "second"))

    assert account(bench, "second")["person_oid"] == f"{PERSON}-second"


def test_an_account_that_is_somebody_else_pays_nothing_until_a_person_confirms_it(bench: Bench) -> None:
    bench.release(bench.uploaded())
    holder = bench.claim(bench.add_order(OTHER))

    with refused("ACCOUNT_ON_STANDBY"):
        bench.intend(holder, person_oid="another")

    assert account(bench, "first")["person_oid"] == PERSON
    assert "another person at the portal than before" in account(bench, "first")["standby_reason"]
    assert bench.all("select * from submissions where order_id = %(id)s", id=holder.order_id) == []
    bench.run(manage.activate_account(bench.db, "first"))
    assert account(bench, "first")["person_oid"] == "another"
    bench.intend(bench.claim(holder.order_id), person_oid="another")


def test_the_right_session_ends_the_standby_without_another_person(bench: Bench) -> None:
    bench.release(bench.uploaded())
    order_id = bench.add_order(OTHER)
    with refused("ACCOUNT_ON_STANDBY"):
        bench.intend(bench.claim(order_id), person_oid="another")

    change = AccountChange(session=of_names({"sid": "the-right-one"}))
    bench.run(manage.update_account(bench.db, Secretbox("secret of the tests"), "first", change))
    bench.run(manage.activate_account(bench.db, "first"))

    assert account(bench, "first")["person_oid"] == PERSON
    bench.intend(bench.claim(order_id))


def test_a_new_secret_takes_back_another_person_whatever_the_account_stands_by_for_by_then(bench: Bench) -> None:
    """Who activates it afterwards confirms what he was shown, not the session before."""
    bench.release(bench.uploaded())
    with refused("ACCOUNT_ON_STANDBY"):
        bench.intend(bench.claim(bench.add_order(OTHER)), person_oid="another")
    bench.execute("update rosreestr_users set standby_kind = 'exhausted', standby_reason = 'no orders left'")

    change = AccountChange(session=of_names({"sid": "the-right-one"}))
    bench.run(manage.update_account(bench.db, Secretbox("secret of the tests"), "first", change))
    assert account(bench, "first")["standby_kind"] == "exhausted", "a secret doesn't help there"
    bench.run(manage.activate_account(bench.db, "first"))

    assert account(bench, "first")["person_oid"] == PERSON


def test_of_two_accounts_that_learn_the_same_person_at_one_moment_one_stands_by(bench: Bench) -> None:
    bench.add_account("second")
    holders = [bench.claim(bench.add_order(), "first"), bench.claim(bench.add_order(OTHER), "second")]

    async def both() -> list[object]:
        intents = [
            submitting.record_intent(bench.db, holder, bench.submission(holder, person_oid=PERSON))
            for holder in holders
        ]
        return await asyncio.gather(*intents, return_exceptions=True)

    answers = bench.run(both())

    assert [answer.reason for answer in answers if isinstance(answer, errors.Refused)] == ["ACCOUNT_ON_STANDBY"]
    assert len(bench.all("select id from rosreestr_users where person_oid is not null")) == 1


def test_one_order_of_an_object_per_person_passes_the_gate_whatever_the_account(bench: Bench) -> None:
    first = bench.sent()
    take_over(bench)

    with refused("OBJECT_BUSY"):
        bench.claim(bench.add_order(), "second")
    bench.read(first, row(901, "N-1"))

    holder = uploaded(bench, "second", "77:01:0001001:1001")
    assert bench.gate(holder).order.state == "unconfirmed"


def test_an_object_that_became_busy_is_refused_at_intent_and_gate(bench: Bench) -> None:
    early = bench.claim(bench.add_order())
    late = uploaded(bench, "first", "77:01:0001001:1001")
    bench.sent()

    with refused("OBJECT_BUSY"):
        bench.intend(early)
    with refused("OBJECT_BUSY"):
        bench.gate(late)

    assert bench.all("select * from submissions where order_id = %(id)s", id=early.order_id) == []


def test_an_order_whose_object_is_busy_is_refused_at_its_claim_and_leaves_no_trace(bench: Bench) -> None:
    bench.sent()
    order_id = bench.add_order()
    before = bench.snapshot(order_id)

    for _ in range(10):
        with refused("OBJECT_BUSY"):
            bench.claim(order_id)

    assert bench.snapshot(order_id) == before


def test_the_row_of_an_order_of_the_same_person_isnt_adopted_by_another_accounts(bench: Bench) -> None:
    bench.registered("N-1", 901)
    take_over(bench)
    holder = uploaded(bench, "second", "77:01:0001001:1001")
    bench.gate(holder)

    bench.read(holder, row(901, "N-1"), person_oid=PERSON, balance=BALANCE)

    assert bench.state(holder.order_id) == "unconfirmed"
    assert bench.voids()[-1] is None, "and is no candidate"


def test_what_the_persons_other_account_spent_is_expected_of_the_balance(bench: Bench) -> None:
    other = bench.sent()
    take_over(bench)
    holder = uploaded(bench, "second")
    bench.gate(holder)
    bench.execute("update sends set gate_at = clock_timestamp() where order_id = %(id)s", id=other.order_id)
    bench.read(other, row(901, "N-1"))

    bench.read(holder, person_oid=PERSON, balance=BALANCE - 1)

    assert bench.voids()[-1] is None


@pytest.mark.parametrize("number", ["N-1", "N-2"], ids=["number", "application"])
def test_a_person_cant_give_an_order_what_the_persons_other_account_has(bench: Bench, number: str) -> None:
    bench.registered("N-1", 901)
    take_over(bench)
    holder = uploaded(bench, "second", "77:01:0001001:1001")
    bench.gate(holder)
    bench.read(holder, row(901, number), person_oid=PERSON)
    bench.age(holder.order_id, 1.0)

    with refused("NUMBER_TAKEN"):
        bench.by_number(holder.order_id, number, is_unseen=True)


def test_a_reading_as_the_persons_other_account_adopts_nothing(bench: Bench) -> None:
    """The list is the same, but which rows were known before is journalled with the account that sent."""
    holder = bench.sent()
    take_over(bench)

    bench.read(bench.delivery(holder.order_id, "second"), row(901, "N-1"), person_oid=PERSON)

    assert bench.state(holder.order_id) == "unconfirmed"


@pytest.mark.parametrize("end", ["absent by readings", "given up"])
def test_a_row_that_may_be_an_earlier_orders_late_one_is_for_a_person(bench: Bench, end: str) -> None:
    earlier = bench.sent()
    if end == "given up":
        bench.give_up(earlier.order_id)
    else:
        bench.make_absent(earlier)
    holder = bench.sent()

    told = bench.read(holder, row(901, "N-1"))

    assert told.order.order.state == "unconfirmed"
    assert f"may be that of order {earlier.order_id}" in (told.order.order.hold_reason or "")


def test_a_row_that_finish_named_is_adopted_beside_an_earlier_orders_absent_send(bench: Bench) -> None:
    bench.make_absent(bench.sent())
    holder = bench.sent()
    bench.answer(holder, "N-1")

    assert bench.read(holder, row(901, "N-1")).order.order.state == "registered"


def test_a_row_is_adopted_once_an_earlier_orders_absence_is_long_ago(bench: Bench) -> None:
    earlier = bench.sent()
    bench.make_absent(earlier)
    bench.age(earlier.order_id, 3 * 24)
    holder = bench.sent()

    assert bench.read(holder, row(901, "N-1")).order.order.state == "registered"


def as_the_system_before_left_it(bench: Bench, order_id: int) -> None:
    """It knew accounts, and not who they are at the portal."""
    name = "'old-system:' || (select id from rosreestr_users where username = 'first')"
    for table in ("sends", "submissions"):
        bench.execute(f"update {table} set person_oid = {name} where order_id = %(id)s", id=order_id)
    bench.execute(f"update orders set person_oid = {name} where id = %(id)s and person_oid is not null", id=order_id)
    bench.execute("update rosreestr_users set person_oid = null where username = 'first'")


def stop_at_claim(bench: Bench) -> None:
    order_id = bench.add_order()
    as_the_system_before_left_it(bench, bench.sent().order_id)
    bench.claim(order_id)


def stop_at_intent(bench: Bench) -> None:
    holder = bench.claim(bench.add_order())
    as_the_system_before_left_it(bench, bench.sent().order_id)
    bench.intend(holder)


def stop_at_gate(bench: Bench) -> None:
    holder = bench.uploaded()
    as_the_system_before_left_it(bench, bench.sent().order_id)
    become(bench, PERSON)
    bench.gate(holder)


def stop_at_the_persons_other_account(bench: Bench) -> None:
    as_the_system_before_left_it(bench, bench.sent().order_id)
    become(bench, PERSON)
    take_over(bench)
    uploaded(bench, "second", "77:01:0001001:1001")


def become(bench: Bench, person_oid: str) -> None:
    bench.execute("update rosreestr_users set person_oid = %(oid)s where username = 'first'", oid=person_oid)


@pytest.mark.parametrize(
    "stop",
    [stop_at_claim, stop_at_intent, stop_at_gate, stop_at_the_persons_other_account],
    ids=lambda stop: stop.__name__,
)
def test_an_order_that_the_system_before_may_have_sent_keeps_its_object_busy_in_its_list(
    bench: Bench, stop: Callable[[Bench], None]
) -> None:
    with refused("OBJECT_BUSY"):
        stop(bench)


def test_it_keeps_no_object_busy_in_another_list(bench: Bench) -> None:
    bench.add_account("second")
    as_the_system_before_left_it(bench, bench.sent().order_id)

    assert bench.gate(bench.uploaded("second")).order.state == "unconfirmed"


def test_a_row_that_may_be_of_an_order_of_the_system_before_is_for_a_person(bench: Bench) -> None:
    earlier = bench.sent()
    bench.give_up(earlier.order_id)
    as_the_system_before_left_it(bench, earlier.order_id)
    holder = bench.sent()

    told = bench.read(holder, row(901, "N-1"))

    assert f"may be that of order {earlier.order_id}" in (told.order.order.hold_reason or "")


#: What no row may say, whoever writes it: each as an assignment to an order that is between gate and number.
BROKEN = {
    "unconfirmed without its send": "open_send_id = null",
    "unconfirmed with a send of nobody": "open_send_id = gen_random_uuid()",
    "registered with an open send": "state = 'registered', rosreestr_order_num = 'N-1'",
    "unconfirmed and bound to nobody": "bound_at = null, person_oid = null",
    "unconfirmed as nobody": "person_oid = null",
    "queued and bound": "state = 'queued', rosreestr_user_id = null, open_send_id = null",
    "bound to no account": (
        "state = 'failed', error = 'x', finished_at = now(), open_send_id = null, rosreestr_user_id = null"
    ),
    "somebody who isn't bound": "state = 'processing', open_send_id = null, bound_at = null",
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_schema_refuses(bench: Bench, what: str) -> None:
    bench.sent()

    with pytest.raises(Exception, match=r"orders_|foreign key"):
        bench.execute(f"update orders set {BROKEN[what]}")


def test_the_schema_refuses_the_open_send_of_another_order(bench: Bench) -> None:
    bench.sent()
    other = bench.sent(cad_num=OTHER)

    with pytest.raises(Exception, match="orders_open_send_is_their_own"):
        bench.execute(
            "update orders set open_send_id = (select open_send_id from orders where id <> %(id)s) where id = %(id)s",
            id=other.order_id,
        )


def test_a_claim_by_the_persons_account_meets_the_facts_that_wait(bench: Bench) -> None:
    """A refusal for a busy object comes before anything is weighed; the reconciler weighs what nobody has in hand."""
    first = bench.sent()
    order_id = bench.add_order()
    bench.read(first, row(901, "N-1"))

    assert bench.run(claiming.claim_order(bench.db, bench.delivery(order_id))).order.state == "processing"


def test_facts_of_a_send_that_went_to_another_account_are_still_kept(bench: Bench) -> None:
    bench.add_account("second")
    holder = bench.sent()
    send_id = bench.sends(holder.order_id)[0]["send_id"]
    bench.tell(holder, facts.NotSent(reason="closed"))
    bench.release(holder)
    bench.claim(holder.order_id, "second")

    bench.tell(holder, facts.FinishAnswer(http_status=200, text="N-1", expected_number="N-1"), send_id)
    bench.release(bench.claim(holder.order_id, "second"))

    assert len(bench.events(holder.order_id, "alarm")) == 1, "it had left after all"
