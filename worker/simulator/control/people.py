"""Accounts and their logins: added, changed, locked, logged out; the codes that a person would read or scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.simulator import account_rows, errors
from worker.simulator.control.asked import Told, field_of, only
from worker.simulator.login_steps import steps_of

if TYPE_CHECKING:
    from worker.simulator.accounts import Account
    from worker.simulator.control.asked import Asked
    from worker.simulator.runtime import Simulator

_CHANGES = ("password", "balance", "has_access_key", "has_subscription", "has_passport", "login_steps", "locked")


def list_accounts(asked: Asked) -> Told:
    """Every account, without what it logs in with."""
    return Told(body={"accounts": [shown(asked.simulator, account) for account in asked.simulator.accounts]})


def add_account(asked: Asked) -> Told:
    """One more account, as a row of an accounts file."""
    try:
        [account] = account_rows.from_rows([asked.body], seed=asked.simulator.settings.seed, where="account")
        asked.simulator.accounts.add(account)
    except errors.BadSettings as exc:
        raise errors.Refusal(400, str(exc)) from exc
    return Told(body=shown(asked.simulator, account), status=201)


def change_account(asked: Asked) -> Told:
    """Change an account, as when points were bought, a password was changed or a passport was added."""
    simulator, body = asked.simulator, asked.body
    account = asked.account()
    only(body, _CHANGES)
    changes: dict[str, object] = {
        name: field_of(body, name, bool) for name in ("has_access_key", "has_subscription") if name in body
    }
    if "password" in body:
        changes["password"] = field_of(body, "password", str)
    if "has_passport" in body:
        changes["person"] = account.person.with_passport(field_of(body, "has_passport", bool))
    if "login_steps" in body:
        try:
            changes["login_steps"] = steps_of(body["login_steps"], has_totp=account.totp_secret is not None)
        except ValueError as exc:
            raise errors.Refusal(400, f"{exc}.", field="login_steps") from exc
    is_locked = field_of(body, "locked", bool) if "locked" in body else None
    balance = field_of(body, "balance", int) if "balance" in body else None
    account = simulator.accounts.change(account.username, **changes)
    if is_locked is not None:
        simulator.login.guard.lock(account.username, simulator.settings.lock_s if is_locked else 0.0)
    if balance is not None:
        simulator.books.grant(account.username, balance - simulator.balance_of(account))
    return Told(body=shown(simulator, account))


def logout(asked: Asked) -> Told:
    """End sessions: an account's, or everybody's."""
    account = None if asked.body.get("account") is None else asked.account().username
    return Told(body={"ended": asked.simulator.sessions.end(account)})


def codes(asked: Asked) -> Told:
    """What arrived at people's phones, and what stands on captchas, oldest first."""
    sent = asked.simulator.login.outbox.arrived(asked.query.get("account"))
    return Told(
        body={
            "codes": [
                {"account": one.account, "kind": one.kind.value, "code": one.code, "text": one.text} for one in sent
            ]
        }
    )


def list_qr(asked: Asked) -> Told:
    """The QR codes that wait to be scanned."""
    return Told(
        body={"codes": [{"qr_id": code.qr_id, "text": code.text} for code in asked.simulator.login.desk.list()]}
    )


def scan_qr(asked: Asked) -> Told:
    """Scan one with an account's app; without an account the person refuses."""
    only(asked.body, ("account", "qr_id"))
    desk = asked.simulator.login.desk
    waiting = desk.list()
    wanted = asked.body.get("qr_id")
    found = [code for code in waiting if wanted in (None, code.qr_id)]
    if not found:
        raise errors.Refusal(404, "No QR code waits to be scanned.", field="qr_id")
    desk.scan(found[-1], None if asked.body.get("account") is None else asked.account().username)
    return Told(body={"qr_id": found[-1].qr_id})


def shown(simulator: Simulator, account: Account) -> dict[str, object]:
    """An account as the control API tells it."""
    guard = simulator.login.guard
    return {
        "account": account.username,
        "logins": list(account.logins),
        "balance": simulator.balance_of(account),
        "roles": [{"oid": role.oid, "name": role.name} for role in account.roles],
        "has_access_key": account.has_access_key,
        "has_subscription": account.has_subscription,
        "has_passport": account.person.passport is not None,
        "login_steps": [step.kind.value for step in account.login_steps],
        "sessions": sum(session.account == account.username for session in simulator.sessions.list()),
        "passwords": simulator.conduct.passwords(account),
        "wrong_in_a_row": guard.wrong(account.username),
        "is_locked": guard.is_locked(account.username),
    }
