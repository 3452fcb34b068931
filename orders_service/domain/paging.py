"""Pages of a list: how long one may be, and the token by which the next goes on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Final

from orders_service import errors

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 500
#: The largest id that PostgreSQL's bigint holds.
_MAX_ID: Final = 2**63 - 1


def read_size(page_size: int) -> int:
    """Return how many a page may have: 0 means 50, and more than 500 is 500.

    Raises:
        InvalidInput: It is negative.
    """
    if page_size < 0:
        raise errors.InvalidInput.of("page_size", f"may not be negative; 0 means {DEFAULT_SIZE}.")
    return min(page_size or DEFAULT_SIZE, MAX_SIZE)


def write_token(last_id: int, *which: object) -> str:
    """Return the token of the page after this id.

    Args:
        which: What was listed, as values of JSON: the token goes with no other list.
    """
    text = f"{last_id}.{_fingerprint(which)}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(token: str, *which: object) -> int | None:
    """Return the id after which the page goes on; None for the first page.

    Raises:
        InvalidInput: The token is none of this service's, or of another list.
    """
    if not token:
        return None
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
        last_id, fingerprint = text.split(".")
        after_id = int(last_id)
    except (binascii.Error, ValueError) as exc:
        raise _not_ours() from exc
    if not 0 <= after_id <= _MAX_ID:
        raise _not_ours()
    if fingerprint != _fingerprint(which):
        rule = "belongs to other filters: ask with the same filters, or without a token for the first page."
        raise errors.InvalidInput.of("page_token", rule)
    return after_id


def _not_ours() -> errors.InvalidInput:
    rule = "isn't one of this service's: take next_page_token as it came, or none for the first page."
    return errors.InvalidInput.of("page_token", rule)


def _fingerprint(which: tuple[object, ...]) -> str:
    return hashlib.sha256(json.dumps(which).encode()).hexdigest()[:16]
