"""The order itself: the statement's upload, and `finish`, which is paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse

from worker.simulator import cadnum, errors, statement
from worker.simulator.gate import Call, Endpoint
from worker.simulator.objects import Outcome
from worker.simulator.settings import DuplicateGuid, FinishAnswer

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.simulator.books import Draft

#: A row so late that no test waits for it.
_NEVER_S = 100 * 365 * 86_400.0
_SUCCESS = "Ваша заявка отправлена в ведомство"


def _upload(call: Call) -> Response:
    draft = statement.checked_draft(call.body, account=call.account, oid=call.oid, objects=call.simulator.objects)
    call.simulator.books.upload(draft)
    return JSONResponse(
        {
            "superPackageGuid": draft.super_package_guid,
            "packageGuid": draft.package_guid,
            "statementGuid": draft.statement_guid,
            "draftGuid": draft.draft_guid,
            "contentToSign": None,
            "oneRequestForAllObjects": None,
        }
    )


def _finish(call: Call) -> Response:
    simulator = call.simulator
    account = call.account
    guid = statement.checked_finish(call.body, account=account, oid=call.oid)
    draft = simulator.books.find_draft(account.username, guid)
    if draft is None or draft.oid != call.oid:
        raise statement.wrong("superPackageGuid", "no such statement was uploaded")
    earlier = simulator.books.find_charge(account.username, guid)
    policy = simulator.settings.duplicate_guid
    if earlier is not None and policy is DuplicateGuid.REJECT:
        raise statement.wrong("superPackageGuid", "this statement was sent already")
    if earlier is not None and policy is DuplicateGuid.SAME:
        return _success(call, earlier.request_number, shape=None)
    if not account.has_subscription or simulator.balance_of(account) <= 0:
        raise errors.Refusal(400, "Недостаточно доступных заказов на балансе")
    shape = call.take_shape()
    return _success(call, _order(call, draft, shape), shape=shape)


def _order(call: Call, draft: Draft, shape: str | None) -> str:
    simulator = call.simulator
    outcome = simulator.objects.outcome_of(draft.cadastral_number)
    paper = simulator.objects.paper_of(draft.cadastral_number)
    key = cadnum.key_of(draft.cadastral_number)
    like = (draft.account, key, simulator.books.count_orders(draft.account, key))
    list_lag_s = simulator.settings.list_lag.at(simulator.chance.share("lag", *like))
    application = simulator.books.order(
        draft,
        ready_after_s=simulator.settings.ready_after.at(simulator.chance.share("ready", *like)),
        list_lag_s=_NEVER_S if shape == "hidden" else list_lag_s,
        outcome=Outcome.REJECTED if shape == "refused_later" else outcome,
        paper="notice_zip" if shape == "notice_later" else paper,
        script=() if shape == "refused_later" else simulator.objects.script_of(draft.cadastral_number),
    )
    return application.request_number


def _success(call: Call, request_number: str, *, shape: str | None) -> Response:
    style = call.simulator.settings.finish_answer
    if style is FinishAnswer.NUMBER_LESS or shape == "number_less":
        return PlainTextResponse(_SUCCESS)
    if style is FinishAnswer.WRONG or shape == "wrong_number":
        # A district that no number of this portal has.
        request_number = "-".join((*request_number.split("-")[:-2], "00", "01"))
    return JSONResponse(request_number) if style is FinishAnswer.JSON else PlainTextResponse(request_number)


def _uploaded(call: Call) -> object:
    objects = call.body.get("objects")
    first = objects[0] if isinstance(objects, list) and objects else None
    return first.get("cadastralNumber") if isinstance(first, dict) else None


def _finished(call: Call) -> object:
    account, guid = call.record.account, call.body.get("superPackageGuid")
    draft = call.simulator.books.find_draft(account, guid) if account and isinstance(guid, str) else None
    return draft.cadastral_number if draft is not None else None


ENDPOINTS = (
    Endpoint(
        name="upload",
        method="POST",
        path="/account-request/statement/upload",
        handler=_upload,
        is_json=True,
        about=_uploaded,
    ),
    Endpoint(
        name="finish",
        method="POST",
        path="/account-request/statement/finish",
        handler=_finish,
        is_json=True,
        about=_finished,
    ),
)
