"""What the command's options add up to: one simulator, ready to be opened."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.simulator import account_rows, accounts, cadnum, objects, options, runtime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from worker.simulator.runtime import Simulator
    from worker.simulator.scenario import Scenario
    from worker.simulator.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Settings, accounts and objects as they are at the start, and the scenario that goes on from there."""

    settings: Settings
    accounts: tuple[accounts.Account, ...]
    rules: objects.ObjectRules
    state_file: Path | None
    scenario: Scenario

    @contextlib.contextmanager
    def opened(self) -> Iterator[Simulator]:
        """The simulator, with all done that comes before the first client.

        Raises:
            StartRefused: The state file can't be continued, or the scenario says something that makes no sense.
        """
        book = accounts.AccountBook(self.accounts, may_be_empty=bool(self.settings.any_account))
        with runtime.opened(self.settings, book, self.rules, self.state_file) as simulator:
            self.scenario.prepare(simulator, is_fresh=not simulator.books.list_everything())
            yield simulator


def plan_of(values: Mapping[str, Any]) -> Plan:
    """The plan of the command's options, by their names.

    Raises:
        BadSettings: A value that makes no sense; the sentence names the option.
    """
    settings, scenario = options.settings_of(values), values["scenario"]
    seed = settings.seed
    known = [account_rows.from_option(text, seed=seed) for text in values["account"]]
    if values["accounts"] is not None:
        known += account_rows.from_file(values["accounts"], seed=seed)
    known += account_rows.from_rows(scenario.accounts, seed=seed, where=f"{scenario.name}, accounts")
    keys = {name: objects.keys_of(values[name], option=f"--{name}") for name in _OBJECTS}
    rules = objects.ObjectRules(
        unknown=keys["unknown"],
        annulled=keys["annulled"],
        papers=dict.fromkeys(keys["notice"], "notice_zip"),
        outcomes=dict.fromkeys(keys["rejected"], objects.Outcome.REJECTED),
        spellings={cadnum.key_of(cad_num): cad_num for cad_num in values["spelling"]},
    )
    return Plan(settings=settings, accounts=tuple(known), rules=rules, state_file=values["state"], scenario=scenario)


_OBJECTS = ("unknown", "annulled", "notice", "rejected", "spelling")
