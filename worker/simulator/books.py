"""What was uploaded, ordered and charged: the simulator's memory, rebuilt from its journal after a restart.

Every change is a record: written first, applied after. A record that couldn't be written changes nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from worker.simulator import cadnum
from worker.simulator.clock import MOSCOW
from worker.simulator.objects import Outcome
from worker.simulator.stages import ScriptStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from worker.simulator.clock import Clock
    from worker.simulator.settings import Knobs
    from worker.simulator.stages import Stage
    from worker.simulator.state import Journal

_FINAL = {
    Outcome.PROCESSED: ("processed", "Выполнено"),
    Outcome.REJECTED: ("rejected", "Отказ"),
    Outcome.ERROR: ("error", "Ошибка"),
}
READY = _FINAL[Outcome.PROCESSED]
#: Ids and running numbers begin with the tenths of seconds since then, so that a simulator that kept nothing doesn't
#: give a number out again that it gave before it was restarted.
_EPOCH_S = 1_760_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An uploaded statement: nothing is paid yet."""

    account: str
    oid: str
    super_package_guid: str
    statement_guid: str
    package_guid: str
    draft_guid: str
    cadastral_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A row of «Мои заявки». Only the account's role that ordered it ever sees it."""

    id: int
    request_number: str
    account: str
    oid: str
    cadastral_number: str
    created_at: datetime
    visible_at: datetime
    ready_at: datetime
    outcome: Outcome
    #: Which paper it ends with, by the name of a fault of the download; None is the extract.
    paper: str | None = None
    #: What it shows and when; empty: what time brings.
    script: tuple[ScriptStep, ...] = ()

    def progress(self, now: datetime, stages: tuple[Stage, ...]) -> tuple[str, str]:
        """Status code and text at a time."""
        if self.script:
            age_s = (now - self.created_at) / timedelta(seconds=1)
            begun = [step for step in self.script if step.at_s <= age_s] or [self.script[0]]
            return begun[-1].code, begun[-1].text
        if now >= self.ready_at or not stages:
            return _FINAL[self.outcome]
        whole = (self.ready_at - self.created_at) / timedelta(seconds=1)
        share = (now - self.created_at) / timedelta(seconds=1) / whole if whole > 0 else 0.0
        stage = next((stage for stage in stages if share < stage.until), stages[-1])
        return stage.code, stage.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One point taken from an account: a line of the ledger."""

    application_id: int
    request_number: str
    account: str
    oid: str
    cadastral_number: str
    super_package_guid: str
    statement_guid: str
    package_guid: str
    draft_guid: str
    charged_at: datetime


class Books:
    """Drafts, applications and charges of all accounts."""

    def __init__(
        self, journal: Journal, clock: Clock, knobs: Knobs, history: Iterable[Mapping[str, object]] = ()
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._knobs = knobs
        self._drafts: dict[tuple[str, str], Draft] = {}
        self._applications: dict[int, Application] = {}
        self._by_role: dict[tuple[str, str], list[Application]] = {}
        self._statuses: dict[int, tuple[str, str]] = {}
        self._granted: dict[str, int] = {}
        self.charges: list[Charge] = []
        self._charged: Counter[str] = Counter()
        self._ordered: Counter[tuple[str, str]] = Counter()
        self._by_package: dict[tuple[str, str], Charge] = {}
        for record in history:
            self._apply(record)
        self._serial = max(
            int((clock.now().timestamp() - _EPOCH_S) * 10), max((id_ + 1 for id_ in self._applications), default=0)
        )

    # What the portal's own calls do.

    def upload(self, draft: Draft) -> None:
        """Keep a statement; the same package again replaces it."""
        self._write({"record": "draft", **asdict(draft)})

    def find_draft(self, account: str, super_package_guid: str) -> Draft | None:
        """The uploaded statement of this package, only for the account that uploaded it."""
        return self._drafts.get((account, super_package_guid))

    def order(
        self,
        draft: Draft,
        *,
        ready_after_s: float,
        list_lag_s: float,
        outcome: Outcome,
        paper: str | None = None,
        script: tuple[ScriptStep, ...] = (),
    ) -> Application:
        """Turn a draft into an order and charge it; both are one record, so neither exists without the other."""
        now = self._clock.now()
        application = self._application(
            account=draft.account,
            oid=draft.oid,
            cadastral_number=draft.cadastral_number,
            created_at=now,
            visible_at=now + timedelta(seconds=list_lag_s),
            ready_at=now + timedelta(seconds=ready_after_s),
            outcome=outcome,
            paper=paper,
            script=script,
        )
        guids = {
            name: value
            for name, value in asdict(draft).items()
            if name.endswith("_guid")  # The rest of a charge is in the application already.
        }
        self._write({"record": "order", **_as_json(application), "charge": guids})
        return application

    def find_application(self, account: str, oid: str, application_id: int) -> Application | None:
        """One row, if it is this account's role's own."""
        found = self._applications.get(application_id)
        return found if found is not None and (found.account, found.oid) == (account, oid) else None

    def find_anybodys(self, application_id: int) -> Application | None:
        """One row of whomever."""
        return self._applications.get(application_id)

    def list_applications(self, account: str, oid: str) -> list[Application]:
        """Every row of this account's role that its list shows by now, oldest first."""
        now = self._clock.now()
        return [row for row in self._by_role.get((account, oid), []) if row.visible_at <= now]

    def count_orders(self, account: str, key: str) -> int:
        """How many orders of this object an account has, by the object's comparison key."""
        return self._ordered[account, key]

    def list_drafts(self, account: str, oid: str) -> list[Draft]:
        """Statements of this account's role that were uploaded and never finished."""
        return [
            draft
            for (owner, guid), draft in self._drafts.items()
            if (owner, draft.oid) == (account, oid) and (owner, guid) not in self._by_package
        ]

    def find_charge(self, account: str, super_package_guid: str) -> Charge | None:
        """The first charge of a package."""
        return self._by_package.get((account, super_package_guid))

    def status_of(self, application: Application) -> tuple[str, str]:
        """The pair that the list shows now: the one that a test set, else the one that time brings."""
        return self._statuses.get(application.id) or application.progress(self._clock.now(), self._knobs.now.stages)

    def spent(self, account: str, *, refund_rejected: bool, when_ready: bool = False) -> int:
        """Points used up; with a refund those of refused orders come back once the refusal shows."""
        if not refund_rejected and not when_ready:
            return self._charged[account]
        free = [_FINAL[Outcome.REJECTED], _FINAL[Outcome.ERROR]] if refund_rejected else []
        statuses = [
            self.status_of(self._applications[charge.application_id])
            for charge in self.charges
            if charge.account == account
        ]
        taken = [status for status in statuses if not when_ready or status in _FINAL.values()]
        return sum(status not in free for status in taken)

    def granted(self, account: str) -> int:
        """Points that were added (or, below zero, taken) by a test while the simulator ran."""
        return self._granted.get(account, 0)

    # What a test does to it.

    def plant(
        self,
        *,
        account: str,
        oid: str,
        cadastral_number: str,
        created_at: datetime,
        ready_at: datetime,
        outcome: Outcome,
        request_number: str | None = None,
        paper: str | None = None,
        script: tuple[ScriptStep, ...] = (),
    ) -> Application:
        """Put an earlier application into an account's list; it was never charged here."""
        application = self._application(
            account=account,
            oid=oid,
            cadastral_number=cadastral_number,
            created_at=created_at,
            visible_at=created_at,
            ready_at=ready_at,
            outcome=outcome,
            request_number=request_number,
            paper=paper,
            script=script,
        )
        self._write({"record": "order", **_as_json(application), "charge": None})
        return application

    def set_status(self, application_id: int, code: str, text: str) -> Application | None:
        """Show this pair from now on, whatever time would bring."""
        if application_id not in self._applications:
            return None
        self._write({"record": "status", "id": application_id, "code": code, "text": text})
        return self._applications[application_id]

    def grant(self, account: str, points: int) -> None:
        """Add points to an account, or take some."""
        self._write({"record": "grant", "account": account, "points": points})

    def list_everything(self) -> list[Application]:
        """All rows of all accounts, shown by their lists or not yet."""
        return list(self._applications.values())

    # Records.

    def _application(
        self,
        *,
        account: str,
        oid: str,
        cadastral_number: str,
        created_at: datetime,
        visible_at: datetime,
        ready_at: datetime,
        outcome: Outcome,
        paper: str | None,
        script: tuple[ScriptStep, ...],
        request_number: str | None = None,
    ) -> Application:
        serial = self._serial
        return Application(
            id=serial,
            request_number=request_number or _request_number(serial, cadastral_number, created_at),
            account=account,
            oid=oid,
            cadastral_number=cadastral_number,
            created_at=created_at,
            visible_at=visible_at,
            ready_at=ready_at,
            outcome=outcome,
            paper=paper,
            script=script,
        )

    def _write(self, record: Mapping[str, object]) -> None:
        self._journal.append(record)
        self._apply(record)

    def _apply(self, record: Mapping[str, object]) -> None:
        fields = {name: value for name, value in record.items() if name not in ("record", "charge")}
        match record["record"]:
            case "draft":
                draft = Draft(**fields)  # type: ignore[arg-type]
                self._drafts[draft.account, draft.super_package_guid] = draft
            case "order":
                self._apply_order(fields, record["charge"])
            case "status":
                self._statuses[int(str(record["id"]))] = (str(record["code"]), str(record["text"]))
            case "grant":
                account = str(record["account"])
                self._granted[account] = self.granted(account) + int(str(record["points"]))
            case unknown:
                raise ValueError(f"A record of the unknown kind {unknown!r}.")

    def _apply_order(self, fields: Mapping[str, object], guids: object) -> None:
        application = _from_json(fields)
        self._applications[application.id] = application
        self._by_role.setdefault((application.account, application.oid), []).append(application)
        self._serial = application.id + 1
        if isinstance(guids, dict):
            charge = Charge(
                application_id=application.id,
                request_number=application.request_number,
                account=application.account,
                oid=application.oid,
                cadastral_number=application.cadastral_number,
                charged_at=application.created_at,
                **guids,
            )
            self.charges.append(charge)
            self._charged[charge.account] += 1
            self._ordered[charge.account, cadnum.key_of(charge.cadastral_number)] += 1
            self._by_package.setdefault((charge.account, charge.super_package_guid), charge)


def _request_number(serial: int, cadastral_number: str, created_at: datetime) -> str:
    """`OfSite-YYYY-MM-DD-NNNNNN-RR-01`, the day as Moscow has it.

    A day has 864,000 serials before they come round, and all of them have six digits.
    """
    day = created_at.astimezone(MOSCOW).strftime("%Y-%m-%d")
    return f"OfSite-{day}-{100_000 + serial % 864_000}-{cadnum.district_of(cadastral_number)}-01"


def _as_json(application: Application) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(application).items()
    }


def _from_json(fields: Mapping[str, object]) -> Application:
    values = dict(fields)
    for name in ("created_at", "visible_at", "ready_at"):
        values[name] = datetime.fromisoformat(str(values[name]))
    if values.pop("is_notice", False):  # In files from before there were other papers.
        values["paper"] = "notice_zip"
    values["outcome"] = Outcome(str(values["outcome"]))
    values["script"] = tuple(ScriptStep(**step) for step in values.get("script", ()))  # type: ignore[attr-defined]
    return Application(**values)  # type: ignore[arg-type]
