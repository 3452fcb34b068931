"""What each page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.simulator.clock import MOSCOW
from worker.simulator.control import people
from worker.simulator.faults.kinds import kinds_at
from worker.simulator.page.html import Markup, button, document, joined, link, pages, table
from worker.simulator.settings import knobs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from worker.simulator.runtime import Simulator

    View = Callable[[Simulator, Mapping[str, str]], str]

_SIZE = 100


def accounts(simulator: Simulator, query: Mapping[str, str]) -> str:
    """Who there is, with what can be done to each; codes that arrived; QR codes that wait."""
    rows = []
    for account in simulator.accounts:
        name, told = account.username, people.shown(simulator, account)
        rows.append(
            (
                name,
                told["balance"],
                joined(role.name for role in account.roles),
                joined(step.kind.value for step in account.login_steps) or None,
                told["sessions"],
                f"{told['passwords']}, {told['wrong_in_a_row']} wrong in a row"
                + (", LOCKED" if told["is_locked"] else ""),
                joined((link("orders", "orders", account=name), link("calls", "calls", account=name))),
                joined(
                    (
                        button("log out", "POST /logout", {"account": name}),
                        button(
                            "unlock" if told["is_locked"] else "lock",
                            f"POST /accounts/{name}",
                            {"locked": not told["is_locked"]},
                        ),
                        button("set", f"POST /accounts/{name}", balance=told["balance"]),
                    )
                ),
            )
        )
    heads = ("account", "points", "roles", "login asks", "sessions", "passwords", "see", "do")
    sent = simulator.login.outbox.arrived()[-20:][::-1]
    codes = [(one.account, one.kind.value, one.code, one.text) for one in sent]
    waiting = [
        (code.qr_id, button("scan", "POST /qr", {"qr_id": code.qr_id}, account=""))
        for code in simulator.login.desk.list()
    ]
    now = simulator.clock.now().astimezone(MOSCOW)
    time = Markup(
        f"<p>It is {now:%d.%m.%Y %H:%M:%S} in Moscow, {simulator.clock.ahead_s:g} s ahead."
        f" {button('let pass', 'POST /time', pass_s=3600)}</p>"
    )
    return document(
        "accounts",
        time,
        table(heads, rows),
        Markup("<h2>Codes that arrived</h2>"),
        table(("account", "by", "code", "text"), codes),
        Markup("<h2>QR codes that wait</h2>"),
        table(("code", "as account"), waiting),
        said=query.get("said", ""),
    )


def orders(simulator: Simulator, query: Mapping[str, str]) -> str:
    """Applications, newest first."""
    account, page = query.get("account"), _page(query)
    found = [row for row in simulator.books.list_everything() if account in (None, row.account)][::-1]
    rows = []
    for row in found[page * _SIZE : (page + 1) * _SIZE]:
        code, text = simulator.books.status_of(row)
        ready = button(
            "make ready", f"POST /orders/{row.id}", {"status_code": "processed", "request_status": "Выполнено"}
        )
        rejected = button("refuse", f"POST /orders/{row.id}", {"status_code": "rejected", "request_status": "Отказ"})
        rows.append(
            (
                row.id,
                row.request_number,
                row.cadastral_number,
                row.account,
                _time(row.created_at),
                _time(row.ready_at),
                f"{code} / {text}",
                row.paper,
                joined((ready, rejected)),
            )
        )
    heads = ("id", "number", "object", "account", "ordered", "ready", "status", "paper", "do")
    return document(
        "orders",
        pages("orders", page, _SIZE, len(found), account=account),
        table(heads, rows),
        said=query.get("said", ""),
    )


def ledger(simulator: Simulator, query: Mapping[str, str]) -> str:
    """What was charged; a package or an object that was charged more than once stands out."""
    page, charges = _page(query), simulator.books.charges
    counts: dict[str, int] = {}
    for charge in charges:
        counts[charge.super_package_guid] = counts.get(charge.super_package_guid, 0) + 1
    rows = [
        (
            _time(charge.charged_at),
            charge.account,
            charge.request_number,
            charge.cadastral_number,
            charge.super_package_guid,
            Markup("<strong>TWICE</strong>") if counts[charge.super_package_guid] > 1 else None,
        )
        for charge in charges[::-1][page * _SIZE : (page + 1) * _SIZE]
    ]
    twice = sum(count > 1 for count in counts.values())
    total = Markup(f"<p>{len(charges)} charges, {twice} packages charged more than once.</p>")
    heads = ("charged", "account", "number", "object", "package", "")
    return document("ledger", total, pages("ledger", page, _SIZE, len(charges)), table(heads, rows))


def calls(simulator: Simulator, query: Mapping[str, str]) -> str:
    """The log of calls, newest first, and how each account behaved."""
    account, endpoint, page = query.get("account"), query.get("endpoint"), _page(query)
    found, dropped = simulator.calls.list(account=account, endpoint=endpoint, after=0)
    rows = [
        (
            call.number,
            _time(call.started_at),
            link(call.account, "calls", account=call.account) if call.account else None,
            link(call.endpoint, "calls", endpoint=call.endpoint) if call.endpoint else call.path,
            call.cad_num,
            call.status,
            call.fault,
            call.gap_s,
            call.duration_s,
        )
        for call in found[::-1][page * _SIZE : (page + 1) * _SIZE]
    ]
    settings = simulator.settings
    judged = simulator.conduct.judge(interval_s=settings.min_interval_s, daily=settings.daily_quota)["accounts"]
    assert isinstance(judged, list)
    names = ("account", "is_polite", "calls", "shortest_gap_s", "short_gaps", "came_early", "most_at_once", "passwords")
    heads = ("call", "begun", "account", "endpoint", "object", "status", "fault", "gap s", "took s")
    refresh_s = 3 if "live" in query else None
    live = link(
        "stop" if refresh_s else "live", "calls", account=account, endpoint=endpoint, live=None if refresh_s else 1
    )
    return document(
        "calls",
        table(names, [[entry[name] for name in names] for entry in judged]),
        Markup(f"<p>{live}, {dropped} older calls dropped.</p>"),
        pages("calls", page, _SIZE, len(found), account=account, endpoint=endpoint),
        table(heads, rows),
        refresh_s=refresh_s,
    )


def faults(simulator: Simulator, query: Mapping[str, str]) -> str:
    """What stands, and a form for one more."""
    rows = []
    for fault in simulator.faults.list():
        what = fault["kind"] or fault["kinds"] or fault["sequence"]
        rules = ("rate", "times", "skip", "for_s", "account", "cad_num", "after", "status", "retry_after_s")
        told = {name: fault[name] for name in rules if fault[name] not in (None, False)}
        shown = list(what) if isinstance(what, tuple) else what
        rows.append(
            (
                fault["id"],
                fault["endpoint"],
                shown,
                told,
                fault["hits"],
                button("take away", f"DELETE /faults/{fault['id']}"),
            )
        )
    more = button("order", "POST /faults", endpoint="search", kind="status", rate=1, account=None, cad_num=None)
    kinds = table(("kind", "what it does"), kinds_at("*").items())
    return document(
        "faults",
        Markup(f"<p>{more} {button('take all away', 'DELETE /faults')}</p>"),
        table(("id", "endpoint", "kind", "rules", "hits", "do"), rows),
        Markup("<h2>Kinds that any call can have</h2>"),
        kinds,
        said=query.get("said", ""),
    )


def settings(simulator: Simulator, query: Mapping[str, str]) -> str:
    """Every knob as it is now."""
    now = simulator.knobs.show()
    rows = []
    for knob in knobs():
        value, said = now[knob.name], knob.metadata["help"]
        written = "; ".join(value) if isinstance(value, list) else str(value)
        turn = None if knob.metadata["fixed"] else button("turn", "POST /settings", None, **{knob.name: written})
        rows.append((knob.metadata["group"], knob.name, said, turn or written))
    return document("settings", table(("subject", "setting", "", "value"), rows), said=query.get("said", ""))


VIEWS: Mapping[str, View] = {
    "accounts": accounts,
    "orders": orders,
    "ledger": ledger,
    "calls": calls,
    "faults": faults,
    "settings": settings,
}


def _page(query: Mapping[str, str]) -> int:
    text = query.get("page", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(MOSCOW):%d.%m %H:%M:%S}"
