"""What a test looks at: health, ledger, calls, conduct."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from worker.simulator import cadnum, errors
from worker.simulator.control.asked import Told

if TYPE_CHECKING:
    from worker.simulator.books import Charge
    from worker.simulator.control.asked import Asked


def health(asked: Asked) -> Told:
    """That it runs."""
    return Told(body={"status": "ok", "accounts": len(asked.simulator.accounts)})


def ledger(asked: Asked) -> Told:
    """What was charged, to whom, and what was charged twice."""
    charges = asked.simulator.books.charges
    accounts = list(asked.simulator.accounts)
    per_account = Counter(charge.account for charge in charges)
    per_package = Counter(charge.super_package_guid for charge in charges)
    per_object = Counter(cadnum.key_of(charge.cadastral_number) for charge in charges)
    return Told(
        body={
            "charges": [_charge(charge) for charge in charges],
            "total": len(charges),
            "counts": {account.username: per_account[account.username] for account in accounts} | per_account,
            "balances": {account.username: asked.simulator.balance_of(account) for account in accounts},
            "repeated_packages": sorted(guid for guid, count in per_package.items() if count > 1),
            #: By comparison key, without leading zeros. Two orders of one object may both be meant.
            "repeated_objects": sorted(key for key, count in per_object.items() if count > 1),
        }
    )


def requests(asked: Asked) -> Told:
    """The log of calls."""
    after = asked.query.get("after", "0")
    if not after.isdigit():
        raise errors.Refusal(400, "after must be the number of a call.", field="after")
    calls, dropped = asked.simulator.calls.list(
        account=asked.query.get("account"), endpoint=asked.query.get("endpoint"), after=int(after)
    )
    return Told(body={"requests": [call.as_json() for call in calls], "dropped": dropped})


def conduct(asked: Asked) -> Told:
    """Whether anybody broke an interval, a day's number of calls, or a `Retry-After`."""
    settings = asked.simulator.settings
    interval_s = asked.number("interval_s", settings.min_interval_s)
    daily = asked.number("daily", settings.daily_quota)
    return Told(body=asked.simulator.conduct.judge(interval_s=interval_s, daily=int(daily)))


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
