"""One simulator: its parts, put together."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.simulator import account_rows, errors, state
from worker.simulator.books import Books
from worker.simulator.calls import CallLog
from worker.simulator.chance import Chance
from worker.simulator.clock import Clock
from worker.simulator.conduct import Conduct
from worker.simulator.connections import ConnectionTable
from worker.simulator.faults.book import FaultBook
from worker.simulator.login.machine import LoginMachine
from worker.simulator.objects import ObjectRegistry
from worker.simulator.pace import Pace
from worker.simulator.rows import OddRows
from worker.simulator.sessions import SessionStore
from worker.simulator.settings import ChargeAt, Knobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worker.simulator.accounts import Account, AccountBook
    from worker.simulator.objects import ObjectRules
    from worker.simulator.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """What every endpoint works with. All of it runs in one thread, and no handler waits in the middle of a change."""

    knobs: Knobs
    clock: Clock
    accounts: AccountBook
    objects: ObjectRegistry
    books: Books
    rows: OddRows
    sessions: SessionStore
    login: LoginMachine
    faults: FaultBook
    calls: CallLog
    conduct: Conduct
    pace: Pace
    connections: ConnectionTable
    chance: Chance

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self.knobs.now

    def let_in(self, login: str) -> Account | None:
        """An account for a login that nobody has, where any is let in."""
        password = self.settings.any_account
        if not password:
            return None
        row = {"username": login, "password": password}
        return account_rows.from_rows([row], seed=self.settings.seed, where="any account")[0]

    def balance_of(self, account: Account) -> int:
        """Points that are left."""
        spent = self.books.spent(
            account.username,
            refund_rejected=self.settings.refund_rejected,
            when_ready=self.settings.charge_at is ChargeAt.READY,
        )
        return account.balance + self.books.granted(account.username) - spent


@contextlib.contextmanager
def opened(
    settings: Settings, accounts: AccountBook, rules: ObjectRules, state_file: Path | None
) -> Iterator[Simulator]:
    """A simulator that goes on where its state file ends.

    Raises:
        StateUnusable: The file is in use, or isn't one that can be continued.
    """
    clock, knobs, chance = Clock(), Knobs(settings), Chance(settings.seed)
    with contextlib.ExitStack() as stack:
        journal: state.Journal = state.NoJournal()
        if state_file is None:
            books = Books(journal, clock, knobs)
        else:
            file = state.StateFile(state_file)
            stack.callback(file.close)
            try:
                books = Books(file, clock, knobs, file.read())
            except (KeyError, TypeError, ValueError) as exc:
                raise errors.StateUnusable(
                    f"The state file {state_file} holds a record that makes no sense ({exc}): give another --state."
                ) from exc
        simulator = Simulator(
            knobs=knobs,
            clock=clock,
            accounts=accounts,
            objects=ObjectRegistry(rules, seed=settings.seed),
            books=books,
            rows=OddRows(),
            sessions=SessionStore(clock, knobs),
            login=LoginMachine(clock, knobs, chance),
            faults=FaultBook(clock, chance),
            calls=CallLog(clock, kept=settings.calls_kept),
            conduct=Conduct(clock),
            pace=Pace(clock, knobs),
            connections=ConnectionTable(),
            chance=chance,
        )
        accounts.make = simulator.let_in
        yield simulator
