"""How many orders the account's subscription has left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.portal.errors import AccountUnusable, Lack, UnreadableAnswer
from worker.portal.wire.answers import Answer, decode_json
from worker.portal.wire.shapes import Node
from worker.portal.wire.transport import Call

if TYPE_CHECKING:
    from worker.portal.login.session import Session


_MOST: Final = 2**31 - 1


def read_balance(session: Session) -> int:
    """Return the orders left of the package that we order. 0 or less: none; a balance that can't be read raises.

    Raises:
        AccountUnusable: The account has no such package.
        What `Session.call` raises.
    """
    package = session.transport.settings.package_type

    def read(answer: Answer) -> int:
        # Picked by name: the line needn't be the first.
        lines = [
            line for line in Node(decode_json(answer), "balance:").items() if line.field("mnemo").scalar() == package
        ]
        if not lines:
            raise AccountUnusable(
                f"The account has no package {package} at the portal: buy one there.", lack=Lack.BALANCE_ITEM
            )
        count = lines[0].field("count").integer()
        if abs(count) > _MOST:
            # What we keep it in is smaller; and cut off it would hide that something was charged.
            raise UnreadableAnswer("The portal's answer can't be read: balance: count is beyond all measure.")
        return count

    return session.call(
        Call(
            step="balance",
            method="GET",
            path="/account-back/finances/operations/total",
            params={"tab": "egrn_subscription"},
            referer="/finances",
        ),
        read,
    )
