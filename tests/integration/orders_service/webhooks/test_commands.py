"""`orders-service tokens webhook` and `orders-service webhooks`, as an operator types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.orders_service.serving import clean_env, run_cli
from tests.integration.orders_service.webhooks.house import SECRET, add_order

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.orders_service.webhooks.house import Teller
    from tests.postgres import Database

URL = "https://crm.example.ru/rosreestr"


@pytest.fixture
def shell(fresh_database: Database, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    env = clean_env({**fresh_database.env(), "ROSREESTR_CRYPTO_SECRET": SECRET})
    return lambda *words: run_cli(*words, env=env, folder=tmp_path)


def as_json(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_address_lives_through_its_commands(shell: Any) -> None:
    shell("tokens", "add", "crm-2026", "--role", "client", "--client", "crm")

    made = shell("tokens", "webhook", "set", "crm-2026", "--url", URL)
    assert made.returncode == 0, made.stderr
    assert "whsec_" in made.stdout
    assert "isn't shown again" in made.stdout

    shown = shell("tokens", "webhook", "show", "crm-2026")
    assert URL in shown.stdout
    assert "standing" in shown.stdout
    assert "whsec_" not in shown.stdout

    again = as_json(shell("tokens", "webhook", "set", "crm-2026", "--url", URL + "/2", "--json"))
    assert (again["url"], again["secret"]) == (URL + "/2", None)

    rotated = as_json(shell("tokens", "webhook", "rotate", "crm-2026", "--json"))
    assert rotated["secret"] not in made.stdout
    assert rotated["previous_until"]

    off = as_json(shell("tokens", "webhook", "off", "crm-2026", "--reason", "moves", "--json"))
    assert off["off_reason"] == "moves"
    assert "switched off at" in shell("tokens", "webhook", "show", "crm-2026").stdout
    assert as_json(shell("tokens", "webhook", "on", "crm-2026", "--json"))["off_at"] is None


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("set", "crm", "--url", "http://crm.example.ru/"), 1, "https://"),
        (("set", "crm", "--url", "https://10.0.0.7/"), 1, "--allow-private"),
        (("set", "crm", "--url", "https://169.254.169.254/", "--allow-private"), 1, "nothing is sent"),
        (("set", "nobody", "--url", URL), 1, "no token 'nobody' in use"),
        (("show", "crm"), 1, "no webhook of a token 'crm'"),
        (("off", "crm"), 1, "no webhook of a token 'crm'"),
        (("rotate", "crm"), 1, "no webhook of a token 'crm'"),
        (("set", "crm"), 2, "--url"),
    ],
)
def test_what_cant_be_is_one_sentence(shell: Any, words: tuple[str, ...], code: int, sentence: str) -> None:
    shell("tokens", "add", "crm", "--role", "client", "--client", "crm")

    done = shell("tokens", "webhook", *words)

    assert done.returncode == code
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_person_is_told_in_russian_where_he_asks_for_it(shell: Any) -> None:
    shell("tokens", "add", "crm", "--role", "client", "--client", "crm")

    made = shell("--lang", "ru", "tokens", "webhook", "set", "crm", "--url", URL)
    shown = shell("--lang", "ru", "tokens", "webhook", "show", "crm")
    off = shell("--lang", "ru", "tokens", "webhook", "off", "crm")

    assert f"О заказах клиента crm теперь сообщается по адресу {URL}" in made.stdout
    assert "Сохраните его сейчас" in made.stdout
    assert "включён" in shown.stdout
    assert "выключен" in off.stdout
    assert "Таких уведомлений нет." in shell("--lang", "ru", "webhooks", "list").stdout


def test_what_was_told_is_listed_and_what_is_over_is_sent_again_once(shell: Any, teller: Teller) -> None:
    teller.add_client("crm", URL, is_private_allowed=False)
    first, second = add_order(teller, "crm", 1), add_order(teller, "crm", 2)
    teller.rows(
        "update webhook_notifications set state = 'given_up', finished_at = now(), error = 'It answered 500.', "
        "http_status = 500, relayed_at = now() where order_id = %s",
        first,
    )

    assert "There is no such notification." in shell("webhooks", "list", "--order", "99").stdout
    table = shell("webhooks", "list").stdout
    assert "given_up" in table
    assert "It answered 500." in table
    listed = as_json(shell("webhooks", "list", "--state", "given_up", "--token", "crm", "--json"))["notifications"]
    assert [(one["order_id"], one["order_state"], one["http_status"]) for one in listed] == [(first, "queued", 500)]
    assert listed[0]["webhook_id"] == f"msg_{listed[0]['id']}"
    older = as_json(shell("webhooks", "list", "--limit", "1", "--json"))["notifications"]
    assert [one["order_id"] for one in older] == [second]
    rest = as_json(shell("webhooks", "list", "--before", str(older[0]["id"]), "--json"))["notifications"]
    assert [one["order_id"] for one in rest] == [first]

    assert shell("webhooks", "resend").returncode == 2
    assert as_json(shell("webhooks", "resend", "--state", "given_up", "--token", "other", "--json"))["count"] == 0
    assert as_json(shell("webhooks", "resend", "--order", str(first), "--json"))["count"] == 1
    assert as_json(shell("webhooks", "resend", "--order", str(first), "--json"))["count"] == 0, "it is on its way"
    assert teller.states() == ["pending", "pending"]
    ((actor, ids),) = teller.rows(
        "select actor, order_ids from audit where action = 'webhooks resend' and order_ids <> '{}'"
    )
    assert actor.startswith("shell:")
    assert ids == [first]
