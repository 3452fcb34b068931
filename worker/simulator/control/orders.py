"""Applications and objects, as a test plants and bends them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from worker.simulator import cadnum, errors
from worker.simulator.control.asked import Told, cad_num_of, field_of, only, outcome_of
from worker.simulator.objects import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from worker.simulator.books import Application
    from worker.simulator.control.asked import Asked
    from worker.simulator.runtime import Simulator


def list_orders(asked: Asked) -> Told:
    """Every application, shown by its list or not yet."""
    account = asked.query.get("account")
    rows = [row for row in asked.simulator.books.list_everything() if account in (None, row.account)]
    return Told(body={"orders": [shown(asked.simulator, row) for row in rows]})


def plant(asked: Asked) -> Told:
    """Put earlier applications into an account's list; they were never charged here."""
    only(asked.body, ("account", "oid", "orders"))
    account = asked.account()
    oid = field_of(asked.body, "oid", str, account.roles[0].oid)
    if account.role(oid) is None:
        raise errors.Refusal(400, f"oid {oid} is no role of {account.username}.", field="oid")
    # All are read before the first is planted: a wrong one plants none.
    plants = [_planted(entry, asked.simulator.clock.now()) for entry in field_of(asked.body, "orders", list)]
    rows = [asked.simulator.books.plant(account=account.username, oid=oid, **plant) for plant in plants]
    return Told(body={"orders": [shown(asked.simulator, row) for row in rows]}, status=201)


def set_status(asked: Asked) -> Told:
    """Show this pair from now on."""
    code = field_of(asked.body, "status_code", str)
    text = field_of(asked.body, "request_status", str)
    row = asked.simulator.books.set_status(int(asked.path["id"]), code, text)
    if row is None:
        raise errors.Refusal(404, "There is no order with this id.")
    return Told(body=shown(asked.simulator, row))


def change_object(asked: Asked) -> Told:
    """Make one object an exception."""
    rules = asked.simulator.objects.rules
    only(asked.body, ("cad_num", "exists", "annulled", "notice", "outcome", "spelling"))
    cad_num = cad_num_of(asked.body)
    key = cadnum.key_of(cad_num)
    if "outcome" in asked.body:
        rules.outcomes[key] = outcome_of(asked.body, Outcome.PROCESSED)
    if "spelling" in asked.body:
        spelling = field_of(asked.body, "spelling", str)
        if not cadnum.looks_valid(spelling) or cadnum.key_of(spelling) != key:
            raise errors.Refusal(400, "spelling must be the same object's.", field="spelling")
        rules.spellings[key] = spelling
    for name, members, is_member in (
        ("exists", rules.unknown, False),
        ("annulled", rules.annulled, True),
        ("notice", rules.notice, True),
    ):
        if name in asked.body:
            put = members.add if field_of(asked.body, name, bool) is is_member else members.discard
            put(key)
    return Told(body={"cad_num": cad_num, "exists": asked.simulator.objects.find(cad_num) is not None})


def shown(simulator: Simulator, row: Application) -> dict[str, object]:
    """An application as the control API tells it."""
    code, text = simulator.books.status_of(row)
    return {
        "id": row.id,
        "number": row.request_number,
        "cad_num": row.cadastral_number,
        "account": row.account,
        "oid": row.oid,
        "created_at": row.created_at.isoformat(),
        "visible_at": row.visible_at.isoformat(),
        "ready_at": row.ready_at.isoformat(),
        "status_code": code,
        "request_status": text,
    }


class _Plant(TypedDict):
    cadastral_number: str
    created_at: datetime
    ready_at: datetime
    outcome: Outcome
    request_number: str | None


def _planted(entry: object, now: datetime) -> _Plant:
    if not isinstance(entry, dict):
        raise errors.Refusal(400, "orders must be a list of objects.", field="orders")
    only(entry, ("cad_num", "number", "age_s", "ready_in_s", "outcome"))
    return {
        "cadastral_number": cad_num_of(entry),
        "created_at": now - timedelta(seconds=field_of(entry, "age_s", float, 3600.0)),
        "ready_at": now + timedelta(seconds=field_of(entry, "ready_in_s", float, 0.0)),
        "outcome": outcome_of(entry, Outcome.PROCESSED),
        "request_number": field_of(entry, "number", str, "") or None,
    }
