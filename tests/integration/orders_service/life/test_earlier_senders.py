"""By a person's *absent* an order is free for any account: what an earlier send may have made isn't paid again unseen.

Each later account, by what its list has to do with the earlier send's × each row of the object that it may show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from orders_service.domain import facts
from orders_service.life import claiming, keeping_facts, unattended
from tests.integration.orders_service.life.bench import BALANCE, PERSON, Bench, refused, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.domain.orders import Holder

#: Rows of the object in the list by now: each id means something to the order (see `denied`).
KNOWN, NAMED, OTHERS, STRANGE = 7, 8, 9, 901


def denied(bench: Bench) -> int:
    """An order that the account `first` sent, and of which a person said that it isn't at the portal.

    KNOWN was there before the send, NAMED is a row that the person was shown, and OTHERS another order's.
    """
    bench.age(bench.registered("N-9", OTHERS).order_id, 10.0)
    holder = bench.claim(bench.add_order())
    bench.intend(holder, known_application_ids=(KNOWN,))
    bench.upload(holder)
    bench.gate(holder)
    bench.read(holder, row(KNOWN, "N-7"), row(NAMED, ""))
    bench.age(holder.order_id, 1.0)
    bench.as_absent(holder.order_id, NAMED)
    return holder.order_id


def become(bench: Bench, username: str, person_oid: str | None) -> None:
    bench.execute(
        "update rosreestr_users set person_oid = %(oid)s where username = %(name)s", oid=person_oid, name=username
    )


def leave_to_second(bench: Bench, person_oid: str) -> tuple[str, str]:
    bench.execute("update rosreestr_users set is_active = false where username = 'first'")
    bench.add_account("second")
    become(bench, "second", person_oid)
    return "second", person_oid


def forget_who_sent(bench: Bench) -> None:
    """As what the system before left: it knew accounts, not persons."""
    name = "'old-system:' || (select id from rosreestr_users where username = 'first')"
    for table in ("sends", "submissions"):
        bench.execute(f"update {table} set person_oid = {name} where order_id = (select max(id) from orders)")


def the_same(bench: Bench) -> tuple[str, str]:
    return "first", PERSON


def another_person_since(bench: Bench) -> tuple[str, str]:
    become(bench, "first", "another")
    return "first", "another"


def known_to_the_system_before(bench: Bench) -> tuple[str, str]:
    forget_who_sent(bench)
    become(bench, "first", None)
    return "first", PERSON


def second_of_one_known_to_the_system_before(bench: Bench) -> tuple[str, str]:
    forget_who_sent(bench)
    return leave_to_second(bench, PERSON)


#: Who goes on with the order, and whether its list is the earlier send's: its name, and as whom it is at the portal.
LATER: Final[dict[str, tuple[Callable[[Bench], tuple[str, str]], bool]]] = {
    "the same account": (the_same, True),
    "the same account, another person since": (another_person_since, False),
    "a second account of the person": (lambda bench: leave_to_second(bench, PERSON), True),
    "an account of somebody else": (lambda bench: leave_to_second(bench, "somebody"), False),
    "the account, from the system before": (known_to_the_system_before, True),
    "a second account of it, from the system before": (second_of_one_known_to_the_system_before, True),
}
ROWS: Final = {
    "nothing": (),
    "what was known": (KNOWN,),
    "what the person named": (NAMED,),
    "another order's": (OTHERS,),
    "all of these": (KNOWN, NAMED, OTHERS),
    "a row that nobody was shown": (STRANGE,),
    "all of these and a row that nobody was shown": (KNOWN, NAMED, OTHERS, STRANGE),
}


def go_on(bench: Bench, order_id: int, username: str, person_oid: str, shown: tuple[int, ...]) -> Holder:
    """What a worker of this account does that finds these rows in its list: up to the gate."""
    holder = bench.claim(order_id, username)
    told = bench.run(claiming.claim_order(bench.db, holder))
    if told.submission is not None and told.was_sent:
        reading = facts.ListReading(
            begun_at=bench.now(),
            person_oid=person_oid,
            is_unfiltered=True,
            is_complete=True,
            balance=BALANCE,
            rows=tuple(row(one, f"N-{one}") for one in shown),
            rows_in_all=len(shown),
        )
        bench.run(keeping_facts.record_fact(bench.db, holder, reading, send_id=None))
    bench.intend(holder, person_oid=person_oid, known_application_ids=shown)
    bench.upload(holder)
    bench.gate(holder)
    return holder


def is_refused_as_held(bench: Bench, order_id: int, later: tuple[str, str], shown: tuple[int, ...]) -> None:
    with refused("ORDER_ON_HOLD"):
        go_on(bench, order_id, *later, shown)
    assert [send["outcome"] for send in bench.sends(order_id)] == ["absent"], "nothing is sent"


@pytest.mark.parametrize("shown", ROWS)
@pytest.mark.parametrize("name", LATER)
def test_what_was_sent_before_is_paid_again_only_unless_the_list_shows_it(bench: Bench, name: str, shown: str) -> None:
    order_id = denied(bench)
    become_later, is_same_list = LATER[name]
    later = become_later(bench)

    if is_same_list and STRANGE in ROWS[shown]:
        is_refused_as_held(bench, order_id, later, ROWS[shown])
        assert len(bench.events(order_id, "alarm")) == 1
        assert STRANGE in {seen.application_id for seen in bench.case(order_id).seen.rows}, "a person is shown it"
    else:
        go_on(bench, order_id, *later, ROWS[shown])
        assert [send["outcome"] for send in bench.sends(order_id)] == ["absent", None]
        assert bench.events(order_id, "alarm") == []


SAME_LIST: Final = [name for name, (_, is_same_list) in LATER.items() if is_same_list and name != "the same account"]


@pytest.mark.parametrize("name", SAME_LIST)
def test_a_person_rules_the_row_out_or_takes_it_and_nothing_else_lets_the_order_go_on(bench: Bench, name: str) -> None:
    order_id = denied(bench)
    later = LATER[name][0](bench)
    is_refused_as_held(bench, order_id, later, (STRANGE,))

    bench.resume(order_id)
    is_refused_as_held(bench, order_id, later, (STRANGE,))
    assert len(bench.events(order_id, "alarm")) == 2
    with refused("UNNAMED", need="rows"):
        bench.as_absent(order_id)
    bench.as_absent(order_id, STRANGE)
    bench.release(bench.claim(order_id, later[0]))
    go_on(bench, order_id, *later, (STRANGE,))

    assert [send["outcome"] for send in bench.sends(order_id)] == ["absent", None]


@pytest.mark.parametrize("name", SAME_LIST)
def test_the_row_can_be_taken_as_the_earlier_sends(bench: Bench, name: str) -> None:
    order_id = denied(bench)
    later = LATER[name][0](bench)
    is_refused_as_held(bench, order_id, later, (STRANGE,))

    bench.by_number(order_id, "N-901", is_unseen=True)

    order = bench.order(order_id)
    assert (order["state"], order["rosreestr_order_num"]) == ("registered", "N-901")
    first = bench.one("select id from rosreestr_users where username = 'first'")
    assert order["rosreestr_user_id"] == first["id"], "with the account that sent it"


def test_a_row_that_comes_between_two_intents_stops_the_second(bench: Bench) -> None:
    order_id = denied(bench)
    later = leave_to_second(bench, PERSON)
    bench.intend(bench.claim(order_id, "second"), person_oid=PERSON)

    is_refused_as_held(bench, order_id, later, (STRANGE,))


def test_an_account_that_gets_the_order_back_reads_its_own_list_for_its_own_send(bench: Bench) -> None:
    """Both sent it, and a person said no each time: the first must be able to go on, and to find its row."""
    order_id = denied(bench)
    bench.add_account("second")
    go_on(bench, order_id, "second", "somebody", ())
    bench.age(order_id, 1.0)
    bench.as_absent(order_id)

    is_refused_as_held_by_reading(bench, order_id)
    bench.as_absent(order_id, STRANGE)

    go_on(bench, order_id, "first", PERSON, (STRANGE,))
    assert [send["outcome"] for send in bench.sends(order_id)] == ["absent", "absent", None]


def is_refused_as_held_by_reading(bench: Bench, order_id: int) -> None:
    with refused("ORDER_ON_HOLD"):
        go_on(bench, order_id, "first", PERSON, (STRANGE,))
    assert [send["outcome"] for send in bench.sends(order_id)] == ["absent", "absent"]


@pytest.mark.parametrize("name", LATER)
def test_what_a_later_account_bound_and_never_sent_is_free_again(bench: Bench, name: str) -> None:
    """Put down, or left: no account that is gone keeps what a person freed."""
    order_id = denied(bench)
    username, person_oid = LATER[name][0](bench)
    bench.add_account("third")
    for leave in ("put down", "abandoned"):
        holder = bench.claim(order_id, username)
        bench.intend(holder, person_oid=person_oid)
        assert bench.order(order_id)["bound_at"] is not None
        if leave == "put down":
            bench.release(holder)
        else:
            bench.execute("update orders set seen_at = seen_at - interval '301 s'")
            assert bench.run(unattended.unbind_abandoned(bench.db))
        order = bench.order(order_id)
        assert (order["state"], order["bound_at"], order["person_oid"]) == ("processing", None, None), leave

    bench.intend(bench.claim(order_id, "third"))


def test_an_account_that_is_another_person_than_the_bound_order_was_sent_as_asks_a_person(bench: Bench) -> None:
    holder = bench.sent()
    bench.make_absent(holder)
    become(bench, "first", "another")

    with refused("ORDER_ON_HOLD"):
        bench.intend(holder, person_oid="another")

    assert "another person" in bench.order(holder.order_id)["hold_reason"]
    bench.as_absent(holder.order_id)
    go_on(bench, holder.order_id, "first", "another", ())


def test_a_repeated_intent_as_the_new_person_is_one(bench: Bench) -> None:
    order_id = denied(bench)
    username, person_oid = another_person_since(bench)
    holder = bench.claim(order_id, username)
    bench.intend(holder, person_oid=person_oid, known_application_ids=(20,))

    bench.intend(holder, person_oid=person_oid, known_application_ids=(20, 21))

    known = bench.one("select known_application_ids from submissions where order_id = %(id)s", id=order_id)
    assert known["known_application_ids"] == [KNOWN, NAMED, 20, 21], "of both lists"
    bench.upload(holder)
    assert bench.gate(holder).order.state == "unconfirmed"
