"""Phase one: from a claimed order to its application at the portal.

Nothing that changes the portal happens before the intent is journalled, and nothing is paid before the gate was passed.
A step that the journal shows as done isn't repeated; what may have changed meanwhile (balance, key, known rows) is
read again before the gate.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from orders_service.v1 import orders_pb2, worker_pb2
from worker.errors import AccountExhausted
from worker.order import reading
from worker.order.find import find_object
from worker.order.pay import pay
from worker.order.points import Point
from worker.order.settle import after_reading
from worker.portal.errors import Outage, PortalUnavailable, RequestRefused, UnreadableAnswer
from worker.portal.pages.search import FoundObject
from worker.portal.pages.statement import Statement, StatementGuids
from worker.portal.wire.budget import ORDER_CALLS

if TYPE_CHECKING:
    from worker.order.visit import Outcome, Visit
    from worker.portal.pages.applications import Listing
    from worker.portal.pages.profile import Declarant

_logger = logging.getLogger(__name__)

#: How often an upload is tried in place, with the same GUIDs, when the portal answers 5xx.
UPLOAD_TRIES: Final = 3
#: The pause in between; the public clients use the same.
UPLOAD_PAUSE_S: Final = 10.0


def register(visit: Visit) -> Outcome:
    """Bring a processing order as far as it gets: in the best case to its number."""
    # Begun and not ended, it would cost another account's calls once more.
    visit.portal.need_calls(ORDER_CALLS)
    before = visit.submission
    listing: Listing | None = None
    if before is not None and before.was_sent:
        # What was sent before may have come to the list late: look, and let the service judge, before anything that may
        # end this visit. An account that is used up was maybe used up by this very order. A reading as somebody else
        # proves nothing to it, and the intent below tells it that the account is another person.
        listing = reading.record_full_reading(visit)
        if visit.order.state != orders_pb2.ORDER_STATE_PROCESSING or visit.order.hold_reason:
            return after_reading(visit)
    found: FoundObject | None = None
    if before is None or not before.is_uploaded:
        looked_up = find_object(visit)
        if not isinstance(looked_up, FoundObject):
            return looked_up
        found = looked_up
    balance = visit.portal.balance()
    if balance <= 0:
        raise AccountExhausted(balance)
    access_key = visit.portal.access_key()
    declarant = visit.portal.profile()
    if listing is None:
        listing = visit.portal.list_applications()
    if not listing.is_complete:
        # An application that isn't known now would be taken for ours later.
        odd = UnreadableAnswer("The account's list can't be read to its end.")
        odd.step = "applications"
        raise odd
    if found is not None:
        portal_cad_num = found.cad_num
    else:
        assert before is not None
        portal_cad_num = before.portal_cad_num
    visit.journal.record_intent(
        _intent(before, declarant, listing, access_key=access_key, balance=balance, portal_cad_num=portal_cad_num)
    )
    visit.signals.reached(Point.AFTER_INTENT)
    # The statement carries key and person: where the journal's upload may have had others, it is made again, unpaid.
    is_outdated = before is None or (before.access_key, before.person_oid) != (access_key, declarant.person_oid)
    if not _kept(visit).is_uploaded or is_outdated:
        if found is None:
            looked_up = find_object(visit)
            if not isinstance(looked_up, FoundObject):
                return looked_up
            found = looked_up
        upload(visit, found, declarant)
    return pay(visit)


def upload(visit: Visit, found: FoundObject, declarant: Declarant) -> None:
    """Upload the statement with the journalled GUIDs and journal that the portal has it. Nothing is paid by it."""
    kept = _kept(visit)
    statement = Statement(
        guids=StatementGuids(
            super_package=kept.super_package_guid,
            statement=kept.statement_guid,
            package=kept.package_guid,
            draft=kept.draft_guid,
        ),
        access_key=kept.access_key,
        declarant=declarant,
        declarant_category=visit.account.declarant_category,
        cad_num=found.cad_num,
        object_type=found.object_type,
        characteristic=found.characteristic,
    )
    retrying = Retrying(
        retry=retry_if_exception(_is_server_error),
        stop=stop_after_attempt(UPLOAD_TRIES),
        wait=_upload_pause_s,
        sleep=visit.delivery.sleep,
        reraise=True,
    )
    try:
        retrying(visit.portal.upload, statement)
    except RequestRefused as refused:
        if not refused.is_of_object:
            # What it says of the person may have changed at the portal since it was read.
            visit.portal.forget_profile()
        raise
    visit.journal.record_upload()
    _logger.info("statement uploaded", extra={"event": "statement_uploaded", "order_id": visit.order.order_id})
    visit.signals.reached(Point.AFTER_UPLOAD)


def _intent(
    before: worker_pb2.OrderSubmission | None,
    declarant: Declarant,
    listing: Listing,
    *,
    access_key: str,
    balance: int,
    portal_cad_num: str,
) -> worker_pb2.OrderSubmission:
    # Offered the first time only: the answer names those that were kept, and they are used.
    guids = StatementGuids.make()
    return worker_pb2.OrderSubmission(
        super_package_guid=guids.super_package if before is None else before.super_package_guid,
        statement_guid=guids.statement if before is None else before.statement_guid,
        package_guid=guids.package if before is None else before.package_guid,
        draft_guid=guids.draft if before is None else before.draft_guid,
        person_oid=declarant.person_oid,
        access_key=access_key,
        balance=balance,
        portal_cad_num=portal_cad_num,
        known_application_ids=listing.known_ids(portal_cad_num),
    )


def _kept(visit: Visit) -> worker_pb2.OrderSubmission:
    submission = visit.submission
    assert submission is not None, "the intent's answer shows the submission that is kept"
    return submission


def _is_server_error(error: BaseException) -> bool:
    return isinstance(error, PortalUnavailable) and error.outage is Outage.SERVER_ERROR


def _upload_pause_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked_s = error.retry_after_s if isinstance(error, PortalUnavailable) else None
    return UPLOAD_PAUSE_S if asked_s is None else min(asked_s, UPLOAD_PAUSE_S)
