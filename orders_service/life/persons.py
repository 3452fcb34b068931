"""Who an account is at the portal. Its orders are paid by that person, and only that person's list shows them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from psycopg import errors as pg

from orders_service import errors
from orders_service.life import guard, loading
from orders_service.life.claiming import lay_down
from orders_service.life.work import Work, working
from orders_service.store import queries

if TYPE_CHECKING:
    from orders_service.domain.account import Account
    from orders_service.domain.orders import Holder
    from orders_service.store.db import Database

_SQL: Final = queries.load("life_account")
_ONE_PER_PERSON: Final = "accounts_one_per_person"


async def learn(db: Database, holder: Holder, person_oid: str) -> None:
    """Remember who the account is, where nobody knew; anything else is for a person, and the account stands by.

    Whoever is stored stays: nobody pays for another one because a session was mixed up. And of two accounts that are
    one person only one orders: they would go on side by side where the portal allows one thing at a time.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH; ORDER_UNKNOWN; STALE_FENCE; ACCOUNT_ON_STANDBY, and the order in hand was
            put down.
    """
    try:
        await _learn(db, holder, person_oid)
    except pg.UniqueViolation as exc:
        if exc.diag.constraint_name != _ONE_PER_PERSON:
            raise
        # Another account learnt the same at this moment: it is there by now.
        await _learn(db, holder, person_oid)


async def _learn(db: Database, holder: Holder, person_oid: str) -> None:
    async with working(db) as work:
        account = await loading.lock_opened_account(work, holder.username, holder.epoch, to_change=True)
        if account.person_oid == person_oid:
            return
        twin = await work.find(_SQL["find_account_of_person"], person_oid=person_oid, account_id=account.id)
        if account.person_oid is None and (twin is None or not account.is_active):
            await work.run(_SQL["learn_person"], account_id=account.id, person_oid=person_oid)
            work.log(logging.INFO, "An account is known", event="account_person_learnt", account_id=account.id)
            return
        reason = _tell(account, None if twin is None else twin["username"])
        await work.run(_SQL["claim_person"], account_id=account.id, person_oid=person_oid, reason=reason)
        work.log(
            logging.ERROR,
            "An account isn't who it was, or somebody else's",
            event="account_person_differs",
            account_id=account.id,
            error=reason,
        )
        await _put_down(work, holder, account, reason)
        await work.keep()
        raise errors.Refused("ACCOUNT_ON_STANDBY", f"Account {account.username} stands by: {reason}")


async def _put_down(work: Work, holder: Holder, account: Account, reason: str) -> None:
    order = await loading.lock_order(work, holder.order_id)
    guard.check_delivery(order, holder, account)
    await lay_down(work, order, holder, account, delay_s=0.0, reason=reason)


def _tell(account: Account, twin: str | None) -> str:
    """Say what is wrong and what a person can do."""
    name = account.username
    if twin is not None:
        return (
            f"It is the same person at the portal as account {twin}, and two of one person would order side by side. "
            f"Give it a login or session of its own; or let it take the other one's place: "
            f"`orders-service accounts deactivate {twin}`, then `orders-service accounts activate {name}`."
        )
    return (
        "It is another person at the portal than before, who would pay for its orders. If that is right: "
        f"`orders-service accounts activate {name}`; else give it the right login or session."
    )
