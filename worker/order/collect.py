"""Phase two: is the extract of a registered order ready? Then bring it, check it, and hand it over."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orders_service import cadastral
from orders_service.v1 import orders_pb2, worker_pb2
from worker.errors import PaperBroken
from worker.order import reading
from worker.order.points import Point
from worker.order.visit import Done, Held, Later, decided_by_service, row_message
from worker.portal.pages.applications import ApplicationState
from worker.portal.paper.extract import Broken, GoodExtract, Notice, Wrong, check_extract

if TYPE_CHECKING:
    from worker.order.visit import Outcome, Visit
    from worker.portal.pages.applications import Application

_logger = logging.getLogger(__name__)

#: What clients read of an order that the registry answered with a notice.
NOTICE_REASON: Final = "Уведомление об отсутствии сведений: документ приложен"


def collect(visit: Visit) -> Outcome:
    """Look at the order's row once, and go on by what it says.

    Raises:
        PaperBroken: The paper came, and can't be used: to be brought again.
        DocumentNotReady: The row says that it is ready, and the download that it isn't.
    """
    reading.check_person(visit)
    order = visit.order
    row = visit.portal.find_application(order.order_number)
    if row is None:
        # The list lags: never a reason to fail a paid order.
        return _not_ready(visit, None)
    if not cadastral.same_object(row.cad_num, order.cad_num):
        return _hand_to_person(
            visit, f"The row of {order.order_number} shows another object, {row.cad_num or 'none'}: a person must look."
        )
    match row.state:
        case ApplicationState.READY:
            return _bring(visit, row)
        case ApplicationState.REFUSED:
            visit.journal.fail(row.request_status.strip(), is_portal_verdict=True)
            return decided_by_service(visit.order) or Later(
                delay_s=visit.settings.check_interval_s, reason="refused by the registry"
            )
        case ApplicationState.PENDING:
            if not row.is_status_known:
                _logger.warning(
                    "the portal shows a status that isn't known",
                    extra={
                        "event": "unknown_status",
                        "order_id": order.order_id,
                        "status_code": row.status_code,
                        "request_status": row.request_status,
                    },
                )
            return _not_ready(visit, row)


def look_again(visit: Visit) -> Outcome:
    """Read the list once more for an order that is over, and that this account had sent: the service judges it."""
    reading.record_full_reading(visit)
    return Done()


def _bring(visit: Visit, row: Application) -> Outcome:
    if visit.order.is_look_due:
        # It was sent twice, and the first send was absent: a row that came late says that it was paid twice.
        reading.record_full_reading(visit)
        if (outcome := decided_by_service(visit.order)) is not None:
            return outcome
    order = visit.order
    with tempfile.TemporaryDirectory(prefix="rosq-worker-") as folder:
        paper = visit.portal.download(row.application_id, Path(folder) / f"{order.order_id}.zip")
        visit.signals.reached(Point.DURING_DOWNLOAD)
        check = check_extract(paper.path, order.cad_num)
        if isinstance(check, Broken):
            raise PaperBroken(f"The paper of {order.order_number} is broken: {check.reason}")
        header = _header(check, file_name=f"Response-{order.order_number}.zip")
        header.row.CopyFrom(row_message(row))
        visit.journal.upload_paper(header, paper.path)
    _logger.info(
        "paper stored",
        extra={
            "event": "paper_stored",
            "order_id": order.order_id,
            "kind": orders_pb2.PaperKind.Name(header.kind).removeprefix("PAPER_KIND_").lower(),
            "size_bytes": header.size_bytes,
        },
    )
    return decided_by_service(visit.order) or Later(
        delay_s=visit.settings.check_interval_s, reason="the paper is stored"
    )


def _header(check: GoodExtract | Notice | Wrong, *, file_name: str) -> worker_pb2.PaperHeader:
    header = worker_pb2.PaperHeader(sha256=check.sha256, size_bytes=check.size_bytes, file_name=file_name)
    match check:
        case GoodExtract():
            header.kind = orders_pb2.PAPER_KIND_EXTRACT
            header.cad_num = check.cad_num
            header.registration_number = check.registration_number
            header.formed_on = check.formed_on
        case Notice():
            header.kind = orders_pb2.PAPER_KIND_NOTICE
            header.registration_number = check.registration_number
            header.formed_on = check.formed_on
            header.reason = NOTICE_REASON
        case Wrong():
            header.kind = orders_pb2.PAPER_KIND_QUARANTINED
            header.cad_num = check.cad_num
            header.reason = check.reason
    return header


def _not_ready(visit: Visit, row: Application | None) -> Outcome:
    delay_s = visit.settings.check_interval_s
    visit.journal.record_check(None if row is None else row_message(row), next_check_s=delay_s)
    return decided_by_service(visit.order) or Later(delay_s=delay_s, reason="not ready", is_put_down=True)


def _hand_to_person(visit: Visit, reason: str) -> Outcome:
    visit.journal.fail(reason)
    return decided_by_service(visit.order) or Held(reason=reason)
