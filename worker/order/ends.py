"""What a client reads where the object's own fault ends an order: in Russian, and nothing raw of the portal's.

The log has what the portal said, and what it refused stands as a fact beside the order.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.portal.errors import RequestRefused
    from worker.portal.pages.search import Card


def of_annulled(card: Card) -> str:
    """The portal shows the object as «Погашено»; since when, where the card says a day that a calendar has."""
    return f"Объект {card.cad_num} снят с учёта{_since(card.cancelled)} («Погашено»), заявление не подано"


def of_refusal(error: RequestRefused) -> str:
    """The portal takes no statement about this object."""
    return f"Портал не принимает заявление об этом объекте (HTTP {error.status})"


def _since(milliseconds: str) -> str:
    """Midnight UTC of the day, in milliseconds since 1970."""
    try:
        day = dt.datetime.fromtimestamp(int(milliseconds) / 1000, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return f" {day:%d.%m.%Y}"
