"""Opening an account, looking at it, and saying how it stands."""

from __future__ import annotations

import pytest

from orders_service import errors
from orders_service.life import opening
from tests.integration.orders_service.life.bench import Bench, refused


def test_each_opening_raises_the_epoch(bench: Bench) -> None:
    first = bench.open()

    assert bench.open() == first + 1
    row = bench.one("select epoch, opened_by, opened_at from rosreestr_users")
    assert (row["epoch"], row["opened_by"]) == (first + 1, "test:1")
    assert row["opened_at"] is not None


def test_an_inactive_account_is_opened_only_for_what_is_its_own(bench: Bench) -> None:
    holder = bench.sent()
    bench.claim(bench.add_order("77:01:0001001:1002"))  # in hand, and anybody's
    bench.execute("update rosreestr_users set is_active = false")

    opened = bench.run(opening.open_account(bench.db, "first", "test:1"))
    assert (opened.open_orders, opened.account.can_take_new) == (1, False)
    bench.execute(
        "update orders set state = 'failed', open_send_id = null, error = 'x', finished_at = now() where id = %(id)s",
        id=holder.order_id,
    )

    with refused("ACCOUNT_INACTIVE"):
        bench.open()


def test_an_unknown_account_isnt_opened(bench: Bench) -> None:
    with refused("ACCOUNT_UNKNOWN"):
        bench.open("nobody")


def test_reading_needs_the_current_epoch_and_leaves_it(bench: Bench) -> None:
    epoch = bench.open()

    read = bench.run(opening.read_account(bench.db, "first", epoch))

    assert read.account.epoch == epoch
    assert read.account.can_take_new
    for wrong in (epoch - 1, epoch + 1):
        with refused("STALE_EPOCH", epoch=str(epoch)):
            bench.run(opening.read_account(bench.db, "first", wrong))


def test_a_mark_puts_the_account_on_standby_and_takes_it_off(bench: Bench) -> None:
    epoch = bench.open()
    before = bench.run(opening.read_account(bench.db, "first", epoch)).account.updated_at

    marked = bench.run(
        opening.mark_account(bench.db, "first", epoch, kind="exhausted", reason="нет заказов", retry_in_s=1800.0)
    ).account
    cleared = bench.run(opening.mark_account(bench.db, "first", epoch, kind="", reason="", retry_in_s=None)).account
    nothing_new = bench.run(opening.mark_account(bench.db, "first", epoch, kind="", reason="", retry_in_s=None)).account

    assert marked.refusal == ("ACCOUNT_ON_STANDBY", "Account first stands by: нет заказов")
    assert marked.standby_until is not None
    assert (cleared.standby_kind, cleared.standby_reason, cleared.standby_until) == (None, None, None)
    assert cleared.can_take_new
    assert before < marked.updated_at < cleared.updated_at == nothing_new.updated_at


def test_a_mark_without_a_time_waits_for_a_person(bench: Bench) -> None:
    epoch = bench.open()

    marked = bench.run(
        opening.mark_account(bench.db, "first", epoch, kind="login_refused", reason="пароль", retry_in_s=None)
    ).account

    assert marked.standby_until is None
    assert not marked.can_take_new


def test_a_mark_needs_the_current_epoch_a_known_kind_and_a_reason(bench: Bench) -> None:
    epoch = bench.open()

    with refused("STALE_EPOCH"):
        bench.run(opening.mark_account(bench.db, "first", epoch - 1, kind="exhausted", reason="why", retry_in_s=None))
    for kind, reason, retry_in_s in (
        ("tired", "why", None),
        ("exhausted", " ", None),
        ("exhausted", "why", -1.0),
        ("exhausted", "why", float("nan")),
    ):
        with pytest.raises(errors.InvalidInput):
            bench.run(opening.mark_account(bench.db, "first", epoch, kind=kind, reason=reason, retry_in_s=retry_in_s))

    assert bench.one("select standby_kind from rosreestr_users")["standby_kind"] is None


def test_an_accounts_repr_shows_no_secret(bench: Bench) -> None:
    bench.execute("update rosreestr_users set password_encrypted = 'SECRET', session_encrypted = 'COOKIE'")

    shown = repr(bench.run(opening.open_account(bench.db, "first", "test:1")))

    assert "SECRET" not in shown
    assert "COOKIE" not in shown
