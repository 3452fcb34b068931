"""Read what the life of an order is decided on: accounts, orders with their journal, and the answer to a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.domain.absence import count_readings
from orders_service.domain.account import Account
from orders_service.domain.orders import Order, OrderInHand, Send, Sender, Submission
from orders_service.domain.states import OrderState, SendOutcome
from orders_service.store import queries

if TYPE_CHECKING:
    from psycopg.rows import DictRow

    from orders_service.life.work import Work

_ACCOUNT: Final = queries.load("life_account")
_ORDER: Final = queries.load("life_order")
_JOURNAL: Final = queries.load("life_journal")


async def lock_account(work: Work, username: str, *, to_change: bool = False) -> Account:
    """Return the account, its epoch kept from rising until the transaction ends.

    Raises:
        Refused: ACCOUNT_UNKNOWN.
    """
    name = "lock_account_to_change" if to_change else "lock_account"
    row = await work.find(_ACCOUNT[name], username=username)
    if row is None:
        raise errors.Refused(
            "ACCOUNT_UNKNOWN", f"There is no account {username}: add it with `orders-service accounts add {username}`."
        )
    return Account(**row)


async def lock_opened_account(work: Work, username: str, epoch: int, *, to_change: bool = False) -> Account:
    """Return the account, if this epoch is still the current one.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH.
    """
    account = await lock_account(work, username, to_change=to_change)
    if account.epoch != epoch:
        raise errors.Refused(
            "STALE_EPOCH",
            f"Another worker opened account {username} (epoch {account.epoch}, not {epoch}): this one must stop.",
            epoch=str(account.epoch),
        )
    return account


async def lock_order(work: Work, order_id: int) -> Order:
    """Return the order with its journal, locked until the transaction ends.

    Raises:
        Refused: ORDER_UNKNOWN.
    """
    order = await find_order(work, order_id)
    if order is None:
        raise errors.Refused("ORDER_UNKNOWN", f"There is no order {order_id}.")
    return order


async def find_order(work: Work, order_id: int) -> Order | None:
    """Return the order as `lock_order` does; None: there is none."""
    row = await work.find(_ORDER["lock_order"], order_id=order_id, lease_s=work.lease_s)
    return None if row is None else await _with_journal(work, row)


async def find_free_order(work: Work, order_id: int) -> Order | None:
    """Return the order as `lock_order` does; None where somebody decides about it at this moment, or there is none."""
    row = await work.find(_ORDER["lock_order_if_free"], order_id=order_id, lease_s=work.lease_s)
    return None if row is None else await _with_journal(work, row)


async def find_submission(work: Work, order_id: int, account_id: int | None) -> Submission | None:
    """Return the journal of this order's submission by this account."""
    if account_id is None:
        return None
    row = await work.find(_JOURNAL["find_submission"], order_id=order_id, account_id=account_id)
    if row is None:
        return None
    return Submission(**(row | {"known_application_ids": tuple(row["known_application_ids"])}))


async def find_sender(work: Work, send: Send) -> Sender:
    """Return as whom this send was made."""
    row = await work.get(_JOURNAL["find_sender"], submission_id=send.submission_id)
    return Sender(**(row | {"known_application_ids": tuple(row["known_application_ids"])}))


async def answer(work: Work, order_id: int, account_id: int | None) -> OrderInHand:
    """Return the order as this account's worker is told of it, as the transaction leaves it.

    Args:
        account_id: None: somebody who has no account here; is shown no journal.
    """
    order = await lock_order(work, order_id)
    is_own = account_id is not None and order.rosreestr_user_id == account_id
    # After a person's word the intent is gone, and the account looks once more before it sends again.
    has_intent = order.submission is not None and (order.submission.intent_at is not None or was_sent(order))
    send = order.open_send if is_own else None
    counted = await count_absence(work, send) if send is not None else 0
    clock = await work.get(_ORDER["read_clock"])
    return OrderInHand(
        order=order,
        is_bound_here=is_own and order.is_bound,
        submission=order.submission if is_own and has_intent else None,
        open_send=send,
        counted_readings=counted,
        as_of=clock["now"],
        is_look_due=is_own and order.look_at is not None and order.look_at <= clock["now"],
    )


def was_sent(order: Order) -> bool:
    """Whether the account that has the order may have sent it."""
    submission = order.submission
    return submission is not None and any(
        send.may_have_left and send.submission_id == submission.id for send in order.sends
    )


async def count_absence(work: Work, send: Send) -> int:
    """Return how many readings count towards this send's absence by now."""
    rows = await work.list(_JOURNAL["list_readings"], send_id=send.send_id)
    clean = [row["read_at"] for row in rows if row["void_reason"] is None]
    return count_readings(clean, send.counts_from, send.absent_after_s)


async def _with_journal(work: Work, row: DictRow) -> Order:
    submission = await find_submission(work, row["id"], row["rosreestr_user_id"])
    sends = await work.list(_JOURNAL["list_sends"], order_id=row["id"])
    return Order(
        **(row | {"state": OrderState(row["state"])}),
        submission=submission,
        sends=tuple(_send(send) for send in sends),
    )


def _send(row: DictRow) -> Send:
    outcome = row["outcome"]
    return Send(**(row | {"outcome": None if outcome is None else SendOutcome(outcome)}))
