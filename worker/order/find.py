"""Finding exactly the object that was ordered, or saying what becomes of an order without one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from worker.errors import ObjectDoubtful
from worker.order import ends
from worker.order.visit import Later, decided_by_service, until_next_s
from worker.portal.errors import Outage, PortalUnavailable, UnreadableAnswer
from worker.portal.pages.search import FoundObject, NotFound, Undecided, judge

if TYPE_CHECKING:
    from worker.order.visit import Outcome, Visit
    from worker.portal.pages.search import Card

_logger = logging.getLogger(__name__)

#: How long a search that finds nothing at all is left alone.
DEGRADED_PAUSE_S: Final = 600.0


def find_object(visit: Visit) -> FoundObject | Outcome:
    """Find exactly the ordered object, or say what becomes of an order without one.

    Raises:
        ObjectDoubtful: The portal shows another one, or several: to be asked again before it ends the order.
    """
    cad_num = visit.order.cad_num
    found = judge(visit.portal.search(cad_num), cad_num)
    if not isinstance(found, FoundObject):
        _check_search(visit)
    if isinstance(found, NotFound):
        return _not_found(visit)
    if isinstance(found, Undecided):
        raise ObjectDoubtful(found.reason)
    visit.witness.note_found(found.cad_num)
    card = judge(visit.portal.cards(found.cad_num), cad_num)
    if isinstance(card, NotFound):
        # Found and not found within seconds: the portal's trouble, not the object's.
        odd = UnreadableAnswer("The portal finds the object, and then shows no card of it.")
        odd.step = "card"
        raise odd
    if isinstance(card, Undecided):
        raise ObjectDoubtful(card.reason)
    return _refuse(visit, card) if card.is_annulled else found


def _check_search(visit: Visit) -> None:
    """Doubt a search that finds no order's object, or another one's, time after time: it may find none at all.

    Raises:
        PortalUnavailable: It doesn't find what is known to be there.
    """
    if not visit.witness.is_search_doubtful(visit.order.order_id):
        return
    # What was found before; after a start something of which the account has an application.
    known = visit.witness.last_found or next(
        (row.cad_num for row in visit.portal.list_applications().rows if row.is_clear), None
    )
    if known is None:
        return
    if not isinstance(judge(visit.portal.search(known), known), FoundObject):
        raise PortalUnavailable(
            f"The portal's search doesn't find one order's object after the other's, nor {known}, which is there: it is"
            " degraded.",
            outage=Outage.DEGRADED,
            retry_after_s=DEGRADED_PAUSE_S,
        )
    visit.witness.note_found(known)


def _not_found(visit: Visit) -> Outcome:
    recheck_s = visit.settings.not_found_recheck_s
    order = visit.journal.record_not_found(recheck_s=recheck_s)
    _logger.info(
        "object not found at the portal",
        extra={
            "event": "object_not_found",
            "order_id": order.order_id,
            "is_final": decided_by_service(order) is not None,
        },
    )
    return decided_by_service(order) or Later(
        delay_s=until_next_s(order, recheck_s), reason="the portal doesn't know the object", is_put_down=True
    )


def _refuse(visit: Visit, card: Card) -> Outcome:
    """What a person should decide before anything is paid ends the order, with the reason."""
    reason = ends.of_annulled(card)
    _logger.warning(
        "the object is annulled",
        extra={
            "event": "object_annulled",
            "order_id": visit.order.order_id,
            "card_status": card.status,
            "card_cancelled": card.cancelled,
        },
    )
    visit.journal.fail(reason)
    return decided_by_service(visit.order) or Later(delay_s=visit.settings.check_interval_s, reason=reason)
