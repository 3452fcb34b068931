"""A name for each row that has none, so that the same file again orders nothing twice."""

from __future__ import annotations

import collections
import hashlib
import json
from typing import TYPE_CHECKING, Final

from orders_service import cadastral

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Told apart from keys that people give.
KEY_PREFIX: Final = "row:"


def derive_keys(rows: Iterable[tuple[str, str]], *, batch: str = "") -> list[str]:
    """Return an idempotency key for each row: from the object, for whom it is, and the how-manyth it is.

    Given are the rows without a key of their own, and none beside them: one that has a key, gets one or loses it would
    change the count, and with it the keys of others. The file's name and place, the order of its rows and what else
    stands in it don't matter: a list that grows is given again, and only what is new is ordered. Notes and urgency
    aren't part of the key: whoever changes a comment and gives the file again is refused by the service (the key has
    other content), not charged again.

    Args:
        rows: Cadastral number and recipient of each that has no key.
        batch: Part of every key: another one orders the same objects anew, as each month does.
    """
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    keys = []
    for cad_num, recipient in rows:
        what = (cadastral.find_key(cad_num) or cad_num, " ".join(recipient.split()))
        seen[what] += 1
        content = json.dumps([batch, *what, seen[what]], ensure_ascii=False)
        keys.append(KEY_PREFIX + hashlib.sha256(content.encode()).hexdigest()[:40])
    return keys
