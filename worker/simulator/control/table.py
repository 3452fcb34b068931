"""Every call of the control API; the scenario file speaks the same calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worker.simulator import errors
from worker.simulator.control import looking, orders, people, turning
from worker.simulator.control.asked import Asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.simulator.control.asked import Action, Told
    from worker.simulator.runtime import Simulator

CALLS: tuple[tuple[str, str, Action], ...] = (
    ("GET", "/health", looking.health),
    ("GET", "/ledger", looking.ledger),
    ("GET", "/requests", looking.requests),
    ("GET", "/conduct", looking.conduct),
    ("GET", "/settings", turning.show_settings),
    ("POST", "/settings", turning.change_settings),
    ("GET", "/time", turning.show_time),
    ("POST", "/time", turning.pass_time),
    ("GET", "/faults", turning.list_faults),
    ("POST", "/faults", turning.add_fault),
    ("DELETE", "/faults", turning.clear_faults),
    ("DELETE", "/faults/{id:int}", turning.clear_faults),
    ("GET", "/faults/kinds", turning.kinds),
    ("POST", "/logout", people.logout),
    ("GET", "/accounts", people.list_accounts),
    ("POST", "/accounts", people.add_account),
    ("POST", "/accounts/{username}", people.change_account),
    ("GET", "/codes", people.codes),
    ("GET", "/qr", people.list_qr),
    ("POST", "/qr", people.scan_qr),
    ("GET", "/orders", orders.list_orders),
    ("POST", "/orders", orders.plant),
    ("POST", "/orders/{id:int}", orders.change_order),
    ("POST", "/rows", orders.add_rows),
    ("DELETE", "/rows", orders.clear_rows),
    ("POST", "/objects", orders.change_object),
)


def perform(simulator: Simulator, method: str, path: str, body: Mapping[str, object]) -> Told:
    """Do what a call does, without HTTP.

    Raises:
        Refusal: As the call would be; 404 for one that isn't there.
    """
    for known, template, action in CALLS:
        found = _PATTERNS[template].fullmatch(path)
        if known == method and found is not None:
            return action(Asked(simulator=simulator, body=body, path=found.groupdict()))
    raise errors.Refusal(404, f"There is no call {method} {path}.")


def _pattern(template: str) -> re.Pattern[str]:
    digits = re.sub(r"\{(\w+):int\}", r"(?P<\1>[0-9]{1,18})", template)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", digits))


_PATTERNS = {template: _pattern(template) for _, template, _ in CALLS}
