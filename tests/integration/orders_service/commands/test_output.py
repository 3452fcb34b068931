"""What can't be written decides nothing: an order that was accepted is told as that."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.orders_service.commands.test_commands import database, service, shared

if TYPE_CHECKING:
    from tests.integration.orders_service.serving import Service

__all__ = ["database", "service", "shared"]

ENCODINGS = ("utf-8", "cp1251", "koi8-r", "cp866", "latin-1", "ascii")
COMMANDS = {
    "submit": ("orders", "submit", "--cad-num", "77:01:0001001:1001", "--comment", "для Ёлкина → срочно"),
    "list": ("orders", "list"),
    "accounts": ("accounts", "list"),
}


def run(service: Service, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "orders_service.cli", *words]
    env = {**service.env, **options.pop("env", {})}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(command, env=env, cwd=service.folder, timeout=60, check=False, **options)


def words_of(command: str) -> tuple[str, ...]:
    """The command, each time one of its own: the very same again orders nothing."""
    return (*COMMANDS[command], *(("--batch", str(uuid.uuid4())) if command == "submit" else ()))


def count_orders(service: Service) -> int:
    from orders_service.v1 import orders_pb2

    return len(service.orders.ListOrders(orders_pb2.ListOrdersRequest(page_size=500)).orders)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_encoding_makes_a_done_command_fail(service: Service, encoding: str, command: str) -> None:
    before = count_orders(service)

    done = run(service, *words_of(command), env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})

    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert count_orders(service) == before + (command == "submit")
    assert done.stdout


def test_an_accepted_order_whose_words_find_no_room_is_told_as_accepted(service: Service) -> None:
    before = count_orders(service)

    with Path("/dev/full").open("wb") as full:
        done = run(service, *words_of("submit"), stdout=full)

    assert done.returncode == 6
    assert b"What was asked for is done." in done.stderr
    assert count_orders(service) == before + 1


def test_the_very_same_command_again_orders_nothing_whatever_became_of_its_words(service: Service) -> None:
    words = ("orders", "submit", "--cad-num", "77:01:0001001:71", "--cad-num", "77:01:0001001:72")
    with Path("/dev/full").open("wb") as full:
        assert run(service, *words, stdout=full).returncode == 6
    before = count_orders(service)

    again, other = run(service, *words), run(service, *words[:-2])

    assert (again.returncode, count_orders(service)) == (0, before + 1)
    assert b"0 accepted, 2 already there." in again.stdout
    assert b"another --batch" in again.stdout
    assert b"1 accepted, 0 already there." in other.stdout, "another command is another order"
    assert "Тот же объект уже заказан".encode() in other.stdout, "and the client is warned"


def test_a_reader_that_is_gone_makes_no_command_fail(service: Service) -> None:
    before = count_orders(service)
    right, left = os.pipe()
    os.close(right)

    with os.fdopen(left, "wb") as nobody:
        done = run(service, *words_of("submit"), stdout=nobody)

    assert (done.returncode, done.stderr) == (0, b"")
    assert count_orders(service) == before + 1


@pytest.mark.parametrize("decision", [("settle", "1", "--absent"), ("resume", "1"), ("give-up", "1")])
def test_a_decision_without_its_case_is_told_where_the_case_stands(service: Service, decision: tuple[str, ...]) -> None:
    done = run(service, "orders", *decision)

    assert done.returncode == 2
    assert b"Give --case: `orders-service orders show ID` prints it" in done.stderr


@pytest.mark.parametrize(
    "words",
    [("accounts", "add", "bob"), ("accounts", "set", "bob"), ("orders", "list"), ("orders", "show", "1"), ("migrate",)],
)
def test_a_password_that_is_typed_where_none_belongs_is_never_repeated(
    service: Service, words: tuple[str, ...]
) -> None:
    done = run(service, *words, "pa55word")

    assert done.returncode == 2
    assert b"pa55word" not in done.stderr + done.stdout
    assert b"too many words" in done.stderr
