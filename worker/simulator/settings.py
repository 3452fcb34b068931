"""Every knob of the simulator, each said once: the command's options, the scenario's `[settings]`, what a test may
change while it runs, and the table in the docs are made from this class.
"""

# ruff: noqa: RUF009  (`_knob` makes a field, which ruff knows of `field` alone)

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from worker.simulator import chance, errors, stages, values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import Field

    from worker.simulator.chance import Spread
    from worker.simulator.stages import Stage
    from worker.simulator.values import Kind
    from worker.simulator.windows import Window

TIMES, LOGINS, SESSIONS, LIMITS = "Times", "Logins", "Sessions", "Limits"
ORDERS, LISTS, MOODS = "Orders", "List", "Moods"


class FinishAnswer(StrEnum):
    """What a successful `finish` says. The live portal's answer is not known for certain."""

    TEXT = "text"  #: the number as bare text
    JSON = "json"  #: the number as a JSON string
    NUMBER_LESS = "number-less"  #: a sentence without any number
    WRONG = "wrong"  #: a number that belongs to no row of the list


class KeyAnswer(StrEnum):
    """How `access-key/current-user` prints the key."""

    JSON = "json"
    TEXT = "text"


class DuplicateGuid(StrEnum):
    """What a repeated `finish` of the same package does."""

    SECOND = "second"  #: creates and charges another order: the worst case, and the default
    SAME = "same"  #: answers the first number, charges nothing
    REJECT = "reject"  #: 400


class ChargeAt(StrEnum):
    """When a point leaves the balance. The ledger's line is there from `finish` on."""

    FINISH = "finish"
    READY = "ready"


class ListOrder(StrEnum):
    """In which order «Мои заявки» come; the live portal's is not known."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SHUFFLED = "shuffled"


class ExpiredAnswer(StrEnum):
    """How a call looks whose session is over."""

    UNAUTHORIZED = "401"  #: JSON with the portal's sentence
    FORBIDDEN = "403"  #: the same with 403
    REDIRECT = "redirect"  #: 302 to /login
    HTML = "html"  #: 200 with the shell of the pages
    LOGGED_OUT = "logged-out"  #: `profile/roles` says `logged: false`, the list has a `link`, all others 401


class LoginDialect(StrEnum):
    """How the ESIA says that it wants a code, and that one was wrong."""

    ESIA = "esia"  #: `ENTER_MFA` with details, `failed` in a 2xx body
    SHORT = "short"  #: `ENTER_TOTP`, and 400


class LimitScope(StrEnum):
    """Whose calls count together."""

    ACCOUNT = "account"
    EVERYBODY = "everybody"


def _knob(default: object, kind: Kind, group: str, said: str, *, fixed: bool = False) -> Any:
    return field(default=default, metadata={"kind": kind, "group": group, "help": said, "fixed": fixed})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be turned. A name without its `_s` is the option's; seconds are seconds everywhere."""

    latency: Spread = _knob(
        chance.spread_of("0"), values.spread(), TIMES, "Before each call is worked on: S, MIN:MAX, exp:MEAN or more."
    )
    ready_after: Spread = _knob(chance.spread_of("3"), values.spread(), TIMES, "From finish to the extract.")
    list_lag: Spread = _knob(chance.spread_of("0"), values.spread(), TIMES, "From finish to the list's row.")
    idle_limit_s: float = _knob(
        5.0,
        values.seconds(more_than_0=True),
        TIMES,
        "Seconds after which an idle connection is closed, also one that never sent a request.",
    )
    maintenance: tuple[Window, ...] = _knob(
        (),
        values.window_list(),
        TIMES,
        "Window of the maintenance page, Moscow time: [DAY,DAY@]HH:MM-HH:MM. Repeatable.",
    )

    login_dialect: LoginDialect = _knob(
        LoginDialect.ESIA, values.choice(LoginDialect), LOGINS, "How a code is asked for, and a wrong one refused."
    )
    login_status: int = _knob(
        200, values.count(least=200, most=202), LOGINS, "HTTP status of the login's good answers."
    )
    refused_login_status: int = _knob(
        401, values.count(least=200, most=499), LOGINS, "HTTP status of a refused password."
    )
    login_needs_page: bool = _knob(
        False, values.flag(), LOGINS, "Whether a password is taken only after the ESIA's own page was opened."
    )
    lock_after: int = _knob(
        5, values.count(), LOGINS, "Wrong passwords in a row after which an account is locked; 0: no."
    )
    lock_s: float = _knob(3600.0, values.seconds(more_than_0=True), LOGINS, "Seconds for which it is locked.")
    captcha_after: int = _knob(
        0, values.count(), LOGINS, "Wrong passwords after which a captcha is asked for, too; 0: no."
    )
    flow_ttl_s: float = _knob(
        300.0, values.seconds(more_than_0=True), LOGINS, "Seconds in which a login must come to its end."
    )
    code_tries: int = _knob(3, values.count(least=1), LOGINS, "Wrong codes or answers that end a login.")
    code_ttl_s: float = _knob(
        300.0, values.seconds(more_than_0=True), LOGINS, "Seconds a code that was sent is good for."
    )
    code_delay: Spread = _knob(chance.spread_of("0"), values.spread(), LOGINS, "Until a code that was sent arrives.")
    sms_forward: str = _knob(
        "", values.url(), LOGINS, "Play a phone that forwards each SMS: GET this address with userName and code."
    )
    qr_ttl_s: float = _knob(120.0, values.seconds(more_than_0=True), LOGINS, "Seconds a QR code can be scanned.")
    role_page: bool = _knob(False, values.flag(), LOGINS, "Whether who has several roles is led to /login to choose.")
    any_account: str = _knob(
        "", values.text(), LOGINS, "With this password any login is an account, made when it is first used."
    )

    session_ttl_s: float = _knob(3600.0, values.seconds(more_than_0=True), SESSIONS, "Seconds a login lasts.")
    session_idle_s: float = _knob(0.0, values.seconds(), SESSIONS, "It also ends after so long without a call; 0: no.")
    session_calls: int = _knob(0, values.count(), SESSIONS, "It also ends after so many calls; 0: no.")
    single_session: bool = _knob(False, values.flag(), SESSIONS, "Whether a login ends the account's earlier sessions.")
    expired_answer: ExpiredAnswer = _knob(
        ExpiredAnswer.UNAUTHORIZED, values.choice(ExpiredAnswer), SESSIONS, "How a call looks whose session is over."
    )

    min_interval_s: float = _knob(
        0.0, values.seconds(), LIMITS, "Seconds from start to start of the calls that count together, else 429; 0: no."
    )
    daily_quota: int = _knob(0, values.count(), LIMITS, "Calls that count together a Moscow day, else 429; 0: no.")
    limit_scope: LimitScope = _knob(
        LimitScope.ACCOUNT, values.choice(LimitScope), LIMITS, "Whose calls count together for both."
    )
    limit_refused: bool = _knob(
        False, values.flag(), LIMITS, "Whether a call that was refused by a limit counts as one, too."
    )
    limit_logins: bool = _knob(False, values.flag(), LIMITS, "Whether the login's own calls count.")

    finish_answer: FinishAnswer = _knob(
        FinishAnswer.TEXT,
        values.choice(FinishAnswer),
        ORDERS,
        "What finish says: the number as text or as a JSON string, no number, or one that is wrong.",
    )
    key_answer: KeyAnswer = _knob(KeyAnswer.JSON, values.choice(KeyAnswer), ORDERS, "How the access key is printed.")
    duplicate_guid: DuplicateGuid = _knob(
        DuplicateGuid.SECOND,
        values.choice(DuplicateGuid),
        ORDERS,
        "A repeated finish: a second order and charge, the same answer again, or 400.",
    )
    charge_at: ChargeAt = _knob(ChargeAt.FINISH, values.choice(ChargeAt), ORDERS, "When a point leaves the balance.")
    refund_rejected: bool = _knob(False, values.flag(), ORDERS, "Whether a refusal gives the point back.")

    stages: tuple[Stage, ...] = _knob(
        stages.stages_of("0.2:created:Создана; 0.5:sent:Отправлена; 1:processing:В работе"),
        values.stage_list(),
        ORDERS,
        "What an order shows on its way: SHARE:CODE:TEXT; each until that share of its time has passed.",
    )

    list_page_max: int = _knob(50, values.count(least=1), LISTS, "Most rows on a page of the list.")
    list_order: ListOrder = _knob(ListOrder.NEWEST, values.choice(ListOrder), LISTS, "Order of its rows.")
    list_last: bool = _knob(True, values.flag(), LISTS, "Whether pages say which of them is the last.")
    list_drafts: bool = _knob(
        False, values.flag(), LISTS, "Whether uploaded statements that weren't finished show, without id and number."
    )

    mood: float = _knob(
        0.0,
        values.share(),
        MOODS,
        "How many of the calls meet a fault, any that their endpoint knows; the login's own are spared.",
    )
    seed: int = _knob(
        0, values.count(), MOODS, "Objects, people, latency and chance follow from it: the same again.", fixed=True
    )
    calls_kept: int = _knob(
        10_000, values.count(least=1), MOODS, "How many calls GET /_simulator/requests remembers.", fixed=True
    )


def knobs() -> tuple[Field[Any], ...]:
    """Every setting, in the order in which it is told."""
    return fields(Settings)


def option_of(name: str) -> str:
    """The option's name of a setting: without the unit, and with dashes."""
    return name.removesuffix("_s").replace("_", "-")


class Knobs:
    """The settings as they are now."""

    def __init__(self, settings: Settings) -> None:
        self.now = settings

    def change(self, wanted: Mapping[str, object]) -> Settings:
        """Turn knobs by name, all of them or none.

        Raises:
            Refusal: 400, naming the one that is unknown, fixed or wrong.
        """
        known = {knob.name: knob for knob in knobs()}
        changes: dict[str, Any] = {}
        for name, value in wanted.items():
            if name not in known:
                raise errors.Refusal(400, f"{name} is no setting; known are {', '.join(known)}.", field=name)
            if known[name].metadata["fixed"]:
                raise errors.Refusal(400, f"{name} is decided at the start.", field=name)
            try:
                changes[name] = known[name].metadata["kind"].read(value)
            except ValueError as exc:
                raise errors.Refusal(400, f"{name}: {exc}.", field=name) from exc
        self.now = replace(self.now, **changes)
        return self.now

    def show(self) -> dict[str, object]:
        """Name and value, as JSON."""
        return {knob.name: knob.metadata["kind"].show(getattr(self.now, knob.name)) for knob in knobs()}
