"""The knobs while it runs: settings, time, faults."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from worker.simulator import errors
from worker.simulator.api import table
from worker.simulator.control.asked import Told, field_of, only
from worker.simulator.faults import parsing

if TYPE_CHECKING:
    from worker.simulator.control.asked import Asked


def show_settings(asked: Asked) -> Told:
    """Every setting as it is now."""
    return Told(body={"settings": asked.simulator.knobs.show()})


def change_settings(asked: Asked) -> Told:
    """Turn some of them; the rest stays."""
    asked.simulator.knobs.change(asked.body)
    return show_settings(asked)


def show_time(asked: Asked) -> Told:
    """What time it is at the portal."""
    clock = asked.simulator.clock
    return Told(body={"now": clock.now().isoformat(), "ahead_s": clock.ahead_s})


def pass_time(asked: Asked) -> Told:
    """Let time pass at the portal, at once."""
    only(asked.body, ("pass_s",))
    pass_s = field_of(asked.body, "pass_s", float)
    if not 0 <= pass_s < 1e9:
        raise errors.Refusal(400, "pass_s must be seconds from 0: time never goes back.", field="pass_s")
    asked.simulator.clock.ahead_s += pass_s
    return show_time(asked)


def list_faults(asked: Asked) -> Told:
    """What stands, and how often it met a call."""
    return Told(body={"faults": asked.simulator.faults.list()})


def add_fault(asked: Asked) -> Told:
    """Order a fault."""
    accounts = {account.username for account in asked.simulator.accounts}
    fault = parsing.parse(asked.body, endpoints=table.NAMES, accounts=accounts)
    return Told(body={"id": asked.simulator.faults.add(fault), **asdict(fault)}, status=201)


def clear_faults(asked: Asked) -> Told:
    """Take all away, or the one of the path."""
    return Told(body={"cleared": asked.simulator.faults.remove(int(asked.path["id"]) if "id" in asked.path else None)})


def kinds(asked: Asked) -> Told:
    """Every endpoint's name and every kind, explained."""
    return Told(body={"endpoints": sorted(table.NAMES), **parsing.explained()})
