"""What only a simulator has, under `/_simulator`: the ledger, the log of calls, and the strings that a test pulls.

Nobody is asked who he is here: the simulator is a tool for tests, and listens on loopback unless told otherwise.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict, TypeVar

from starlette.responses import JSONResponse
from starlette.routing import Route

from worker.simulator import answers, cadnum, errors, faults
from worker.simulator.objects import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from worker.simulator.accounts import Account
    from worker.simulator.books import Application, Charge
    from worker.simulator.runtime import Simulator

    Handler = Callable[[Request, Mapping[str, object]], Response]

T = TypeVar("T")


def routes(simulator: Simulator, *, endpoints: set[str]) -> list[Route]:
    """The routes of one simulator; `endpoints` are the names that faults may be ordered for."""
    control = _Control(simulator, endpoints)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/health", control.health),
        ("GET", "/ledger", control.ledger),
        ("GET", "/requests", control.requests),
        ("GET", "/faults", control.list_faults),
        ("POST", "/faults", control.add_fault),
        ("DELETE", "/faults", control.clear_faults),
        ("GET", "/faults/kinds", control.kinds),
        ("POST", "/logout", control.logout),
        ("GET", "/orders", control.list_orders),
        ("POST", "/orders", control.plant_orders),
        ("POST", "/orders/{id:int}", control.set_status),
        ("POST", "/accounts/{username}", control.change_account),
        ("POST", "/objects", control.change_object),
    ]
    return [Route(f"/_simulator{path}", _answering(handler), methods=[method]) for method, path, handler in table]


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return handler(request, await _body(request))
        except errors.Refusal as refusal:
            return answers.of_refusal(refusal)

    return answer


async def _body(request: Request) -> Mapping[str, object]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as exc:
        raise errors.Refusal(400, "The body is not JSON.") from exc
    if not isinstance(body, dict):
        raise errors.Refusal(400, "The body must be a JSON object.")
    return body


class _Control:
    def __init__(self, simulator: Simulator, endpoints: set[str]) -> None:
        self._simulator = simulator
        self._endpoints = endpoints

    def health(self, request: Request, body: Mapping[str, object]) -> Response:
        return JSONResponse({"status": "ok", "accounts": len(self._simulator.accounts)})

    def ledger(self, request: Request, body: Mapping[str, object]) -> Response:
        charges = self._simulator.books.charges
        accounts = list(self._simulator.accounts)
        per_account = Counter(charge.account for charge in charges)
        per_package = Counter(charge.super_package_guid for charge in charges)
        per_object = Counter(cadnum.key_of(charge.cadastral_number) for charge in charges)
        return JSONResponse(
            {
                "charges": [_charge(charge) for charge in charges],
                "total": len(charges),
                "counts": {account.username: per_account[account.username] for account in accounts} | per_account,
                "balances": {account.username: self._simulator.balance_of(account) for account in accounts},
                "repeated_packages": sorted(guid for guid, count in per_package.items() if count > 1),
                #: By comparison key, without leading zeros. Two orders of one object may both be meant.
                "repeated_objects": sorted(key for key, count in per_object.items() if count > 1),
            }
        )

    def requests(self, request: Request, body: Mapping[str, object]) -> Response:
        query = request.query_params
        after = query.get("after", "0")
        if not after.isdigit():
            raise errors.Refusal(400, "after must be the number of a call.", field="after")
        calls, dropped = self._simulator.calls.list(
            account=query.get("account"), endpoint=query.get("endpoint"), after=int(after)
        )
        return JSONResponse({"requests": [call.as_json() for call in calls], "dropped": dropped})

    def list_faults(self, request: Request, body: Mapping[str, object]) -> Response:
        return JSONResponse({"faults": self._simulator.faults.list()})

    def add_fault(self, request: Request, body: Mapping[str, object]) -> Response:
        accounts = {account.username for account in self._simulator.accounts}
        fault = faults.parse(body, endpoints=self._endpoints, accounts=accounts)
        return JSONResponse({"id": self._simulator.faults.add(fault), **asdict(fault)}, status_code=201)

    def clear_faults(self, request: Request, body: Mapping[str, object]) -> Response:
        return JSONResponse({"cleared": self._simulator.faults.clear()})

    def kinds(self, request: Request, body: Mapping[str, object]) -> Response:
        return JSONResponse(
            {"endpoints": sorted(self._endpoints), "any": dict(faults.GENERAL), "one": dict(faults.SHAPES)}
        )

    def logout(self, request: Request, body: Mapping[str, object]) -> Response:
        account = None if body.get("account") is None else self._account(body).username
        return JSONResponse({"ended": self._simulator.sessions.end(account)})

    def list_orders(self, request: Request, body: Mapping[str, object]) -> Response:
        account = request.query_params.get("account")
        rows = [row for row in self._simulator.books.list_everything() if account in (None, row.account)]
        return JSONResponse({"orders": [self._order(row) for row in rows]})

    def plant_orders(self, request: Request, body: Mapping[str, object]) -> Response:
        _only(body, ("account", "oid", "orders"))
        account = self._account(body)
        oid = _field(body, "oid", str, account.roles[0].oid)
        if account.role(oid) is None:
            raise errors.Refusal(400, f"oid {oid} is no role of {account.username}.", field="oid")
        entries = _field(body, "orders", list)
        # All are read before the first is planted: a wrong one plants none.
        plants = [_planted(entry, self._simulator.clock.now()) for entry in entries]
        rows = [self._simulator.books.plant(account=account.username, oid=oid, **plant) for plant in plants]
        return JSONResponse({"orders": [self._order(row) for row in rows]}, status_code=201)

    def set_status(self, request: Request, body: Mapping[str, object]) -> Response:
        code = _field(body, "status_code", str)
        text = _field(body, "request_status", str)
        row = self._simulator.books.set_status(request.path_params["id"], code, text)
        if row is None:
            raise errors.Refusal(404, "There is no order with this id.")
        return JSONResponse(self._order(row))

    def change_account(self, request: Request, body: Mapping[str, object]) -> Response:
        simulator = self._simulator
        account = self._account({"account": request.path_params["username"]})
        _only(body, ("password", "balance", "has_access_key", "has_subscription"))
        for name in ("has_access_key", "has_subscription"):
            if name in body:
                account = simulator.accounts.change(account.username, **{name: _field(body, name, bool)})
        if "password" in body:
            account = simulator.accounts.change(account.username, password=_field(body, "password", str))
        if "balance" in body:
            wanted = _field(body, "balance", int)
            simulator.books.grant(account.username, wanted - simulator.balance_of(account))
        return JSONResponse({"account": account.username, "balance": simulator.balance_of(account)})

    def change_object(self, request: Request, body: Mapping[str, object]) -> Response:
        rules = self._simulator.objects.rules
        _only(body, ("cad_num", "exists", "annulled", "notice", "outcome", "spelling"))
        cad_num = _cad_num(body)
        key = cadnum.key_of(cad_num)
        if "outcome" in body:
            rules.outcomes[key] = _outcome(body, Outcome.PROCESSED)
        if "spelling" in body:
            spelling = _field(body, "spelling", str)
            if not cadnum.looks_valid(spelling) or cadnum.key_of(spelling) != key:
                raise errors.Refusal(400, "spelling must be the same object's.", field="spelling")
            rules.spellings[key] = spelling
        for name, members, is_member in (
            ("exists", rules.unknown, False),
            ("annulled", rules.annulled, True),
            ("notice", rules.notice, True),
        ):
            if name in body:
                put = members.add if _field(body, name, bool) is is_member else members.discard
                put(key)
        return JSONResponse({"cad_num": cad_num, "exists": self._simulator.objects.find(cad_num) is not None})

    def _account(self, body: Mapping[str, object]) -> Account:
        username = _field(body, "account", str)
        account = self._simulator.accounts.find(username)
        if account is None:
            raise errors.Refusal(400, f"There is no account {username}.", field="account")
        return account

    def _order(self, row: Application) -> dict[str, object]:
        code, text = self._simulator.books.status_of(row)
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


def _charge(charge: Charge) -> dict[str, object]:
    return {
        "account": charge.account,
        "oid": charge.oid,
        "number": charge.request_number,
        "cad_num": charge.cadastral_number,
        "application_id": charge.application_id,
        "super_package_guid": charge.super_package_guid,
        "statement_guid": charge.statement_guid,
        "package_guid": charge.package_guid,
        "draft_guid": charge.draft_guid,
        "charged_at": charge.charged_at.isoformat(),
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
    _only(entry, ("cad_num", "number", "age_s", "ready_in_s", "outcome"))
    return {
        "cadastral_number": _cad_num(entry),
        "created_at": now - timedelta(seconds=_field(entry, "age_s", float, 3600.0)),
        "ready_at": now + timedelta(seconds=_field(entry, "ready_in_s", float, 0.0)),
        "outcome": _outcome(entry, Outcome.PROCESSED),
        "request_number": _field(entry, "number", str, "") or None,
    }


def _outcome(body: Mapping[str, object], default: Outcome) -> Outcome:
    value = _field(body, "outcome", str, default.value)
    if value not in list(Outcome):
        raise errors.Refusal(400, f"outcome must be one of {', '.join(Outcome)}.", field="outcome")
    return Outcome(value)


def _field(body: Mapping[str, object], name: str, kind: type[T], default: T | None = None) -> T:
    value = body.get(name, default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)  # type: ignore[return-value]
    if type(value) is not kind:
        raise errors.Refusal(400, f"{name} is missing or no {kind.__name__}.", field=name)
    return value


def _cad_num(body: Mapping[str, object]) -> str:
    cad_num = _field(body, "cad_num", str)
    if not cadnum.looks_valid(cad_num):
        raise errors.Refusal(400, "cad_num is no cadastral number.", field="cad_num")
    return cad_num


def _only(body: Mapping[str, object], known: tuple[str, ...]) -> None:
    for name in body:
        if name not in known:
            raise errors.Refusal(400, f"{name} is no field here; known are {', '.join(known)}.", field=name)
