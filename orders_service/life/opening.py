"""What a worker does with its account: open it, look at it, say how it stands."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import TYPE_CHECKING, Final

from orders_service import errors
from orders_service.domain.account import SECRETS_KINDS, STANDBY_KINDS, Account
from orders_service.life import loading
from orders_service.life.work import Work, working
from orders_service.store import queries

if TYPE_CHECKING:
    from orders_service.store.db import Database

_SQL: Final = queries.load("life_account")
_STRIKES: Final = queries.load("strikes")
#: A year: longer waits are a person's.
_MAX_RETRY_S: Final = 365 * 24 * 3600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenedAccount:
    """An account, and how many open orders are bound to it."""

    account: Account
    open_orders: int


async def open_account(db: Database, username: str, opened_by: str) -> OpenedAccount:
    """Raise the account's epoch, so that whatever an earlier worker of it decides from now on bounces.

    Call it with the account's name held in the queue. A repeat raises it once more, and its answer is the one to use.

    Raises:
        Refused: ACCOUNT_UNKNOWN; ACCOUNT_INACTIVE where it is inactive and has nothing left to collect.
    """
    async with working(db) as work:
        account = await loading.lock_account(work, username, to_change=True)
        open_orders = await _count_bound(work, account)
        if not account.is_active and open_orders == 0:
            raise errors.Refused(
                "ACCOUNT_INACTIVE",
                f"Account {username} is inactive and has no orders left to collect: "
                f"activate it with `orders-service accounts activate {username}`.",
            )
        await work.run(_SQL["raise_epoch"], account_id=account.id, opened_by=opened_by)
        opened = await loading.lock_account(work, username, to_change=True)
        work.log(
            logging.INFO,
            "An account was opened",
            event="account_opened",
            account_id=opened.id,
            epoch=opened.epoch,
            opened_by=opened_by,
        )
        return OpenedAccount(account=opened, open_orders=open_orders)


async def read_account(db: Database, username: str, epoch: int) -> OpenedAccount:
    """Return the account as it stands.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH.
    """
    async with working(db) as work:
        account = await loading.lock_opened_account(work, username, epoch)
        return OpenedAccount(account=account, open_orders=await _count_bound(work, account))


async def mark_account(
    db: Database,
    username: str,
    epoch: int,
    *,
    kind: str,
    reason: str,
    retry_in_s: float | None,
    secrets_version: str = "",
) -> OpenedAccount:
    """Say why the account takes no new orders for now, or (kind empty) that nothing is in the way any more.

    Args:
        retry_in_s: Seconds until the worker tries again by itself; None: only after a person did something.
        secrets_version: What was tried (`Account.secrets_version`). A mark that is about secrets and comes late, when
            a person has set others, changes nothing: those weren't tried yet. Empty: the present ones.

    Raises:
        InvalidInput: No such kind, no reason, or a time that isn't one.
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH.
    """
    _check_mark(kind, reason, retry_in_s)
    async with working(db) as work:
        account = await loading.lock_opened_account(work, username, epoch, to_change=True)
        if kind in SECRETS_KINDS and secrets_version not in ("", account.secrets_version):
            work.log(
                logging.INFO,
                "A mark was about secrets that were changed meanwhile",
                event="account_mark_late",
                account_id=account.id,
                standby_kind=kind,
                error=reason,
            )
        # Workers watch updated_at for news: nothing new must not look like any.
        elif kind or account.standby_kind is not None:
            await work.run(
                _SQL["mark_account"],
                account_id=account.id,
                epoch=epoch,
                kind=kind or None,
                reason=reason if kind else None,
                retry_in_s=retry_in_s if kind else None,
            )
            work.log(
                logging.WARNING if kind else logging.INFO,
                "An account stands by" if kind else "An account takes orders again",
                event="account_marked",
                account_id=account.id,
                standby_kind=kind,
                error=reason,
            )
        marked = await loading.lock_account(work, username, to_change=True)
        return OpenedAccount(account=marked, open_orders=await _count_bound(work, marked))


async def record_password(db: Database, username: str, epoch: int, *, was_useful: bool) -> OpenedAccount:
    """Count a password that is about to be sent for the account, or (useful) begin to count anew.

    Raises:
        Refused: ACCOUNT_UNKNOWN; STALE_EPOCH.
    """
    async with working(db) as work:
        account = await loading.lock_opened_account(work, username, epoch, to_change=True)
        if not was_useful or account.passwords_sent:
            await work.run(_STRIKES["count_password"], account_id=account.id, epoch=epoch, was_useful=was_useful)
        counted = await loading.lock_account(work, username, to_change=True)
        return OpenedAccount(account=counted, open_orders=await _count_bound(work, counted))


def _check_mark(kind: str, reason: str, retry_in_s: float | None) -> None:
    if kind and kind not in STANDBY_KINDS:
        raise errors.InvalidInput.of("kind", f"must be empty or one of {', '.join(sorted(STANDBY_KINDS))}.")
    if kind and not reason.strip():
        raise errors.InvalidInput.of("reason", "must say what is wrong and what to do.")
    if retry_in_s is not None and not (math.isfinite(retry_in_s) and 0 <= retry_in_s <= _MAX_RETRY_S):
        raise errors.InvalidInput.of("retry_in", "must be a number of seconds from 0 to a year.")


async def _count_bound(work: Work, account: Account) -> int:
    row = await work.get(_SQL["count_bound_orders"], account_id=account.id)
    return int(row["bound"])
