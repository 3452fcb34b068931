"""Applications and objects, as a test plants and bends them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from worker.simulator import cadnum, errors
from worker.simulator.control.asked import Told, cad_num_of, field_of, only, outcome_of
from worker.simulator.objects import Outcome
from worker.simulator.papers import odd
from worker.simulator.rows import LiteralRow
from worker.simulator.stages import ScriptStep

if TYPE_CHECKING:
    from collections.abc import Mapping
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


def change_order(asked: Asked) -> Told:
    """Show this pair from now on, or print the row otherwise than it is."""
    only(asked.body, ("status_code", "request_status", "set", "drop"))
    id_, simulator = int(asked.path["id"]), asked.simulator
    row = simulator.books.find_anybodys(id_)
    if row is None:
        raise errors.Refusal(404, "There is no order with this id.")
    if "set" in asked.body or "drop" in asked.body:
        drop = field_of(asked.body, "drop", list, [])
        if not all(isinstance(path, str) for path in drop):
            raise errors.Refusal(400, "drop must be a list of paths.", field="drop")
        simulator.rows.bend(id_, set_=field_of(asked.body, "set", dict, {}), drop=tuple(drop))
    if "status_code" in asked.body or ("set" not in asked.body and "drop" not in asked.body):
        code = field_of(asked.body, "status_code", str)
        simulator.books.set_status(id_, code, field_of(asked.body, "request_status", str))
    return Told(body=shown(simulator, row))


def add_rows(asked: Asked) -> Told:
    """Put rows into an account's list that belong to no order, to the letter, whatever they are."""
    only(asked.body, ("account", "rows", "last"))
    account = asked.account().username
    is_first = not field_of(asked.body, "last", bool, False)
    rows = [LiteralRow(content=row, is_first=is_first) for row in field_of(asked.body, "rows", list)]
    asked.simulator.rows.literal.setdefault(account, []).extend(rows)
    return Told(body={"rows": len(asked.simulator.rows.literal[account])}, status=201)


def clear_rows(asked: Asked) -> Told:
    """Take them all away."""
    count = sum(len(rows) for rows in asked.simulator.rows.literal.values())
    asked.simulator.rows.literal.clear()
    return Told(body={"cleared": count})


def change_object(asked: Asked) -> Told:
    """Make one object an exception."""
    rules = asked.simulator.objects.rules
    only(asked.body, ("cad_num", "exists", "annulled", "notice", "paper", "script", "outcome", "spelling"))
    cad_num = cad_num_of(asked.body)
    key = cadnum.key_of(cad_num)
    if "outcome" in asked.body:
        rules.outcomes[key] = outcome_of(asked.body, Outcome.PROCESSED)
    if "notice" in asked.body or "paper" in asked.body:
        has_notice = "notice" in asked.body and field_of(asked.body, "notice", bool)
        paper = paper_of(asked.body) or ("notice_zip" if has_notice else None)
        rules.papers.pop(key, None)
        if paper is not None:
            rules.papers[key] = paper
    if "script" in asked.body:
        rules.scripts[key] = script_of(asked.body)
    if "spelling" in asked.body:
        spelling = field_of(asked.body, "spelling", str)
        if not cadnum.looks_valid(spelling) or cadnum.key_of(spelling) != key:
            raise errors.Refusal(400, "spelling must be the same object's.", field="spelling")
        rules.spellings[key] = spelling
    for name, members, is_member in (
        ("exists", rules.unknown, False),
        ("annulled", rules.annulled, True),
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


def paper_of(body: Mapping[str, object]) -> str | None:
    """The name of a paper that isn't the extract, where one is given."""
    paper = body.get("paper")
    if paper is not None and paper not in odd.PACKED:
        raise errors.Refusal(400, f"paper must be one of {', '.join(odd.PACKED)}, or null.", field="paper")
    return None if paper is None else str(paper)


def script_of(body: Mapping[str, object]) -> tuple[ScriptStep, ...]:
    """What an order shows, and when: a list of tables with at_s, status_code and request_status."""
    steps = []
    for row in field_of(body, "script", list, []):
        if not isinstance(row, dict):
            raise errors.Refusal(400, "script must be a list of objects.", field="script")
        only(row, ("at_s", "status_code", "request_status"))
        code, text = field_of(row, "status_code", str), field_of(row, "request_status", str)
        steps.append(ScriptStep(at_s=field_of(row, "at_s", float, 0.0), code=code, text=text))
    return tuple(sorted(steps, key=lambda step: step.at_s))


class _Plant(TypedDict):
    cadastral_number: str
    created_at: datetime
    ready_at: datetime
    outcome: Outcome
    request_number: str | None
    paper: str | None
    script: tuple[ScriptStep, ...]


def _planted(entry: object, now: datetime) -> _Plant:
    if not isinstance(entry, dict):
        raise errors.Refusal(400, "orders must be a list of objects.", field="orders")
    only(entry, ("cad_num", "number", "age_s", "ready_in_s", "outcome", "paper", "script"))
    return {
        "cadastral_number": cad_num_of(entry),
        "created_at": now - timedelta(seconds=field_of(entry, "age_s", float, 3600.0)),
        "ready_at": now + timedelta(seconds=field_of(entry, "ready_in_s", float, 0.0)),
        "outcome": outcome_of(entry, Outcome.PROCESSED),
        "request_number": field_of(entry, "number", str, "") or None,
        "paper": paper_of(entry),
        "script": script_of(entry),
    }
