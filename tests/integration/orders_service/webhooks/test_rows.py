"""What is to be told is written with the event, in its transaction: nothing is missed, and nothing made up."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from orders_service import errors
from orders_service.access import tokens
from orders_service.access.callers import Role
from orders_service.orders.accept import create_orders
from orders_service.orders.validation import WantedOrder
from orders_service.webhooks import manage
from tests.integration.orders_service.webhooks.house import add_order, move

if TYPE_CHECKING:
    from tests.integration.orders_service.webhooks.house import Teller

URL = "https://crm.example.ru/rosreestr?key=hidden-in-the-url"


def rows(teller: Teller) -> list[tuple[Any, ...]]:
    """Whose webhook, of which order, telling which state."""
    return teller.rows(
        "select tokens.name, notifications.order_id, events.to_state::text from webhook_notifications notifications "
        "join webhooks on webhooks.id = notifications.webhook_id join tokens on tokens.id = webhooks.token_id "
        "join order_events events on events.id = notifications.event_id order by notifications.id"
    )


def test_an_order_that_is_accepted_is_to_be_told_to_its_client_alone(teller: Teller) -> None:
    teller.add_client("crm", URL)
    teller.add_client("shop", URL)
    wanted = [WantedOrder(cad_num=f"77:01:0001001:{n}", idempotency_key=str(uuid.uuid4())) for n in (1, 2)]

    made = teller.run(lambda: create_orders(teller.db, wanted, client="crm"))
    teller.run(lambda: create_orders(teller.db, wanted, client="nobody"))

    assert rows(teller) == [("crm", one.order_id, "queued") for one in made]


def test_each_change_of_state_is_to_be_told_once_and_nothing_else_of_the_history(teller: Teller) -> None:
    teller.add_client("crm", URL)
    order_id = add_order(teller, "crm")
    move(teller, order_id, "processing")
    teller.rows("insert into order_events (order_id, actor, kind, reason) values (%s, 'relay', 'hold', 'x')", order_id)
    move(teller, order_id, "failed", "processing")

    assert rows(teller) == [("crm", order_id, state) for state in ("queued", "processing", "failed")]


def test_what_commits_late_and_out_of_order_is_missed_by_nobody_and_what_is_rolled_back_is_not_told(
    teller: Teller,
) -> None:
    teller.add_client("crm", URL)
    first, second, third = (add_order(teller, "crm", number) for number in (1, 2, 3))
    insert = (
        "insert into order_events (order_id, actor, kind, from_state, to_state) "
        "values (%s, 'w', 'transition', 'queued', 'processing')"
    )

    with teller.database.connect() as slow, teller.database.connect() as broken:
        slow.autocommit = broken.autocommit = False
        slow.execute(insert.encode(), (first,))
        broken.execute(insert.encode(), (third,))
        move(teller, second, "processing")
        broken.rollback()
        assert ("crm", first, "processing") not in rows(teller)
        slow.commit()

    told = [row for row in rows(teller) if row[2] == "processing"]
    assert sorted(told) == [("crm", first, "processing"), ("crm", second, "processing")]


def test_nothing_is_to_be_told_to_a_token_that_lets_nobody_in_or_a_webhook_that_is_off(teller: Teller) -> None:
    for name in ("revoked", "over", "off"):
        teller.add_client(name, URL)
    teller.run(lambda: tokens.revoke_token(teller.db, "revoked", revoked_by="test"))
    teller.rows("update tokens set ends_at = now() where name = 'over'")
    teller.run(lambda: manage.switch_off(teller.db, "off", reason="asked to", by="test"))

    for name in ("revoked", "over", "off"):
        add_order(teller, name)

    assert rows(teller) == []


def test_two_tokens_of_one_client_are_both_told(teller: Teller) -> None:
    teller.add_client("crm", URL)
    wanted = tokens.NewToken(name="crm-2027", role=Role.CLIENT, client="crm", created_by="test")
    teller.run(lambda: tokens.add_token(teller.db, wanted))
    teller.run(lambda: manage.set_webhook(teller.db, teller.box, "crm-2027", URL, is_private_allowed=False, by="test"))

    order_id = add_order(teller, "crm")

    assert rows(teller) == [("crm", order_id, "queued"), ("crm-2027", order_id, "queued")]


def test_a_secret_is_shown_once_kept_with_another_address_and_stored_sealed_for_its_token(teller: Teller) -> None:
    secret = teller.add_client("crm", URL)
    view, again = teller.run(
        lambda: manage.set_webhook(
            teller.db, teller.box, "crm", "https://other.example.ru/", is_private_allowed=False, by="test"
        )
    )

    assert (view.url, again) == ("https://other.example.ru/", None)
    ((sealed, token_id),) = teller.rows("select secret_sealed, token_id from webhooks")
    assert secret not in sealed
    assert teller.box.open(sealed, username=manage.sealed_for(token_id), purpose=manage.PURPOSE) == secret
    assert secret not in repr(view) + str(teller.rows("select to_jsonb(audit)::text from audit"))


def test_the_audit_knows_who_set_which_host_and_switched_it_off_and_no_more_of_the_address(teller: Teller) -> None:
    teller.add_client("crm", URL)
    teller.run(lambda: manage.rotate_secret(teller.db, teller.box, "crm", by="shell:ivan"))
    for _ in range(2):
        teller.run(lambda: manage.switch_off(teller.db, "crm", reason="asked to", by="shell:ivan"))

    told = teller.rows(
        "select action, actor, reason, after->>'host' from audit where action like '%%webhook%%' order by id"
    )

    assert told == [
        ("tokens webhook set", "test", None, "crm.example.ru"),
        ("tokens webhook rotate", "shell:ivan", None, None),
        ("tokens webhook off", "shell:ivan", "asked to", None),
    ]
    assert "hidden-in-the-url" not in str(teller.rows("select to_jsonb(audit)::text from audit"))


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER, Role.WORKER])
def test_only_a_clients_token_can_have_a_webhook(teller: Teller, role: Role) -> None:
    wanted = tokens.NewToken(name="other", role=role, account="a" if role is Role.WORKER else None, created_by="test")
    teller.run(lambda: tokens.add_token(teller.db, wanted))

    with pytest.raises(errors.InvalidInput, match="client"):
        teller.run(lambda: manage.set_webhook(teller.db, teller.box, "other", URL, is_private_allowed=False, by="test"))


def test_a_token_that_isnt_in_use_can_have_none(teller: Teller) -> None:
    past = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    wanted = tokens.NewToken(name="over", role=Role.CLIENT, client="crm", ends_at=past, created_by="test")
    teller.run(lambda: tokens.add_token(teller.db, wanted))

    for name in ("over", "nobody"):
        setting = functools.partial(
            manage.set_webhook, teller.db, teller.box, name, URL, is_private_allowed=False, by="test"
        )
        with pytest.raises(errors.NotFound, match=name):
            teller.run(setting)
