"""The line to the orders service: what is an answer, what is none, and how long it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import free_port
from tests.unit.worker.doubles import failure, refusal, unavailable
from worker.service.errors import (
    BoundToOtherAccount,
    ServiceBroken,
    ServiceDefect,
    ServiceTooOld,
    ServiceUnreachable,
)
from worker.service.reporter import Reporter

if TYPE_CHECKING:
    from orders_service.v1 import worker_pb2
    from tests.unit.worker.conftest import Bench


def read(bench: Bench) -> worker_pb2.WorkerAccount:
    return bench.reporter.read_account("a1", 1)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "RESOURCE_EXHAUSTED", "CANCELLED"])
def test_no_answer_is_one_error(bench: Bench, code: str) -> None:
    bench.service.script["ReadAccount"] = [failure(code)]

    with pytest.raises(ServiceUnreachable, match=code):
        read(bench)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INTERNAL", ServiceDefect),
        ("UNKNOWN", ServiceDefect),
        ("UNIMPLEMENTED", ServiceTooOld),
        ("INVALID_ARGUMENT", ServiceBroken),
    ],
)
def test_other_codes_are_not_asked_again(bench: Bench, code: str, kind: type[Exception]) -> None:
    bench.service.script["ReadAccount"] = [failure(code)]

    with pytest.raises(kind):
        bench.reporter.ask(lambda: read(bench), sleep=lambda _seconds: None)

    assert bench.log.count("ReadAccount") == 1


def test_a_sentence_of_the_services_ends_with_one_full_stop(bench: Bench) -> None:
    bench.service.script["ReadAccount"] = [failure("UNAVAILABLE", "PostgreSQL is away. Try again.")]

    with pytest.raises(ServiceUnreachable, match=r"Try again\.$") as told:
        read(bench)

    assert ".." not in str(told.value)


def test_a_refusal_carries_its_reason_and_metadata(bench: Bench) -> None:
    bench.service.script["ReadAccount"] = [refusal("BOUND_TO_OTHER_ACCOUNT", account="a2")]

    with pytest.raises(BoundToOtherAccount) as caught:
        read(bench)

    assert caught.value.account == "a2"
    assert caught.value.reason == "BOUND_TO_OTHER_ACCOUNT"


def test_it_asks_again_until_an_answer_comes(bench: Bench) -> None:
    bench.service.script["ReadAccount"] = [unavailable(), unavailable(), None]
    slept: list[float] = []

    account = bench.reporter.ask(lambda: read(bench), sleep=slept.append)

    assert account.account == "a1"
    assert len(slept) == 2


def test_what_the_pause_raises_ends_the_asking(bench: Bench) -> None:
    bench.service.script["ReadAccount"] = [unavailable()] * 10

    def lost(_seconds: float) -> None:
        raise KeyError("the lease is lost")

    with pytest.raises(KeyError):
        bench.reporter.ask(lambda: read(bench), sleep=lost)

    assert bench.log.count("ReadAccount") == 1


def test_a_service_that_is_not_there_is_said_in_one_sentence_that_says_what_to_do() -> None:
    port = free_port()
    reporter = Reporter("127.0.0.1", port)

    with pytest.raises(ServiceUnreachable, match=rf"127\.0\.0\.1:{port}.*orders-service serve"):
        reporter.wait_ready(0.2)

    reporter.close()


def test_a_proxy_to_the_world_outside_is_never_asked_for_the_service(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Read where the channel is made.
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    host, _, port = bench.reporter.address.rpartition(":")

    reporter = Reporter(host, int(port))
    try:
        reporter.wait_ready(20)
    finally:
        reporter.close()
