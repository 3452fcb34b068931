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


SECRETS = {
    "password": "password_encrypted = 'new'",
    "session": "session_encrypted = 'new'",
    "one-time codes": "totp_encrypted = 'new'",
    "role": "portal_role = 'new'",
    "login": "gu_login = 'new'",
}


@pytest.mark.parametrize("changed", SECRETS)
@pytest.mark.parametrize("kind", ["login_refused", "person_needed"])
def test_a_late_mark_of_what_was_tried_before_leaves_what_a_person_set_since(
    bench: Bench, kind: str, changed: str
) -> None:
    bench.execute("update rosreestr_users set password_encrypted = 'old'")
    tried = bench.run(opening.open_account(bench.db, "first", "test:1")).account
    bench.execute(f"update rosreestr_users set {SECRETS[changed]}")

    late = bench.run(
        opening.mark_account(
            bench.db,
            "first",
            tried.epoch,
            kind=kind,
            reason="пароль",
            retry_in_s=None,
            secrets_version=tried.secrets_version,
        )
    ).account

    assert (late.standby_kind, late.can_take_new) == (None, True)
    assert late.secrets_version != tried.secrets_version


def test_a_mark_of_what_is_there_now_or_that_isnt_about_secrets_counts(bench: Bench) -> None:
    bench.execute("update rosreestr_users set password_encrypted = 'old'")
    tried = bench.run(opening.open_account(bench.db, "first", "test:1")).account
    # Whatever else is changed of the account leaves its secrets what they are.
    bench.execute("update rosreestr_users set comment = 'new', declarant_category = '357039000001', is_active = true")

    def mark(kind: str, version: str) -> str | None:
        bench.execute("update rosreestr_users set standby_kind = null, standby_reason = null")
        marked = opening.mark_account(
            bench.db, "first", tried.epoch, kind=kind, reason="why", retry_in_s=None, secrets_version=version
        )
        return bench.run(marked).account.standby_kind

    assert mark("login_refused", tried.secrets_version) == "login_refused"
    assert mark("login_refused", "") == "login_refused", "an older worker names none"
    bench.execute("update rosreestr_users set password_encrypted = 'new'")
    for kind in ("exhausted", "unusable", "forbidden", "limited"):
        assert mark(kind, tried.secrets_version) == kind


def test_a_secrets_version_tells_nothing_of_them(bench: Bench) -> None:
    bench.execute("update rosreestr_users set password_encrypted = 'SEALED'")

    version = bench.run(opening.open_account(bench.db, "first", "test:1")).account.secrets_version

    assert len(version) == 32
    assert "SEALED" not in version


def test_an_accounts_repr_shows_no_secret(bench: Bench) -> None:
    bench.execute("update rosreestr_users set password_encrypted = 'SECRET', session_encrypted = 'COOKIE'")

    shown = repr(bench.run(opening.open_account(bench.db, "first", "test:1")))

    assert "SECRET" not in shown
    assert "COOKIE" not in shown
