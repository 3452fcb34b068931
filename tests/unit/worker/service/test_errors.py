"""The service's refusals: each reason of the contract has a class, and a newer one is no surprise."""

from __future__ import annotations

from orders_service.v1 import worker_pb2
from worker.service import errors


def test_every_refusal_reason_of_the_contract_has_a_class() -> None:
    described = worker_pb2.DESCRIPTOR.enum_types_by_name["RefusalReason"].values
    names = {value.name.removeprefix("REFUSAL_REASON_") for value in described}

    assert set(errors.REFUSALS) == names
    own = [kind for reason, kind in errors.REFUSALS.items() if reason != "UNSPECIFIED"]
    assert errors.ServiceRefused not in own


def test_a_reason_that_is_newer_than_the_worker_is_still_a_refusal() -> None:
    assert type(errors.refusal("SOMETHING_NEW", "no", {})) is errors.ServiceRefused


def test_the_missing_reading_is_told_from_other_wrong_states() -> None:
    assert type(errors.refusal("WRONG_STATE", "no", {"need": "reading"})) is errors.ReadingNeeded
    assert type(errors.refusal("WRONG_STATE", "no", {"state": "queued"})) is errors.WrongState
