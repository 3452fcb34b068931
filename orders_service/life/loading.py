"""Read what the life of an order is decided on: accounts, orders with their journal, and the answer to a worker.

An order is locked first and read afterwards, by one statement: what is read in the statement that waits for the lock
may be older than what was waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orders_service import errors
from orders_service.domain.absence import count_readings
from orders_service.domain.account import Account
from orders_service.domain.orders import Order, OrderInHand, Send, Submission
from orders_service.domain.states import OrderState, SendOutcome
from orders_service.store import queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orders_service.domain.orders import Holder
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
        raise _account_unknown(username)
    return Account(**row)


async def lock_opened_account(work: Work, username: str, epoch: int, *, to_change: bool = False) -> Account:
    """Return the account, if this epoch is still the current one.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH.
    """
    account = await lock_account(work, username, to_change=to_change)
    _check_epoch(account, epoch)
    return account


async def lock_account_and_order(work: Work, holder: Holder) -> tuple[Account, Order]:
    """Return the account, if the holder's epoch is still the current one, and the order, both locked.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN.
    """
    row = await work.get(_ACCOUNT["lock_account_and_order"], username=holder.username, order_id=holder.order_id)
    order_id = row.pop("order_id")
    if row["id"] is None:
        raise _account_unknown(holder.username)
    account = Account(**row)
    _check_epoch(account, holder.epoch)
    if order_id is None:
        raise _order_unknown(holder.order_id)
    return account, await read_order(work, order_id)


async def lock_order(work: Work, order_id: int) -> Order:
    """Return the order with its journal, locked until the transaction ends.

    Raises:
        Refused: ORDER_UNKNOWN.
    """
    order = await find_order(work, order_id)
    if order is None:
        raise _order_unknown(order_id)
    return order


async def find_order(work: Work, order_id: int) -> Order | None:
    """Return the order as `lock_order` does; None: there is none."""
    return await _lock(work, "lock_order", order_id)


async def find_free_order(work: Work, order_id: int) -> Order | None:
    """Return the order as `lock_order` does; None where somebody decides about it at this moment, or there is none."""
    return await _lock(work, "lock_order_if_free", order_id)


async def read_order(work: Work, order_id: int) -> Order:
    """Return an order that this transaction has locked, as it stands now."""
    rows = await work.list(_ORDER["read_order"], order_id=order_id, lease_s=work.lease_s)
    work.has_changed = False
    first = rows[0]
    submission = _part(first, "submission.")
    sends = [_part(row, "send.") for row in rows]
    return Order(
        **({name: value for name, value in first.items() if "." not in name} | {"state": OrderState(first["state"])}),
        submission=None if submission["id"] is None else _submission(submission),
        sends=tuple(_send(send) for send in sends if send["send_id"] is not None),
    )


async def read_known_rows(work: Work, order: Order, send: Send) -> tuple[int, ...]:
    """Return the applications that were known when this send was made."""
    kept = order.submission
    if kept is not None and kept.id == send.submission_id:
        return kept.known_application_ids
    row = await work.get(_JOURNAL["find_known_rows"], submission_id=send.submission_id)
    return tuple(row["known_application_ids"])


async def answer(work: Work, order: Order, account_id: int | None) -> OrderInHand:
    """Return the order as this account's worker is told of it, as the transaction leaves it.

    Args:
        order: As it was read; read again where it was changed since.
        account_id: None: somebody who has no account here; is shown no journal.
    """
    if work.has_changed:
        order = await read_order(work, order.id)
    is_own = account_id is not None and order.rosreestr_user_id == account_id
    # After a person's word the intent is gone, and the account looks once more before it sends again.
    has_intent = order.submission is not None and (order.is_bound or order.was_sent_as_now)
    send = order.open_send if is_own else None
    is_look_due = account_id is not None and order.is_look_due(account_id)
    submission = order.submission if is_own and (has_intent or is_look_due) else None
    if is_look_due and not is_own:
        row = await work.get(_JOURNAL["find_submission"], order_id=order.id, account_id=account_id)
        submission = _submission(row)
    return OrderInHand(
        order=order,
        is_bound_here=is_own and order.is_bound,
        submission=submission,
        was_sent=is_own and order.was_sent_as_now,
        open_send=send,
        counted_readings=count_absence(send) if send is not None else 0,
        as_of=order.as_of,
        is_look_due=is_look_due,
    )


def count_absence(send: Send) -> int:
    """Return how many readings count towards this send's absence by now."""
    return count_readings(send.clear_readings, send.counts_from, send.absent_after_s)


async def _lock(work: Work, statement: str, order_id: int) -> Order | None:
    row = await work.find(_ORDER[statement], order_id=order_id)
    return None if row is None else await read_order(work, order_id)


def _check_epoch(account: Account, epoch: int) -> None:
    if account.epoch != epoch:
        raise errors.Refused(
            "STALE_EPOCH",
            f"Another worker opened account {account.username} (epoch {account.epoch}, not {epoch}): "
            "this one must stop.",
            epoch=str(account.epoch),
        )


def _account_unknown(username: str) -> errors.Refused:
    return errors.Refused(
        "ACCOUNT_UNKNOWN", f"There is no account {username}: add it with `orders-service accounts add {username}`."
    )


def _order_unknown(order_id: int) -> errors.Refused:
    return errors.Refused("ORDER_UNKNOWN", f"There is no order {order_id}.")


def _part(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the columns of one joined table."""
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}


def _submission(row: dict[str, Any]) -> Submission:
    return Submission(**(row | {"known_application_ids": tuple(row["known_application_ids"])}))


def _send(row: dict[str, Any]) -> Send:
    outcome = row["outcome"]
    return Send(
        **(
            row
            | {
                "outcome": None if outcome is None else SendOutcome(outcome),
                "clear_readings": tuple(row["clear_readings"]),
            }
        )
    )
