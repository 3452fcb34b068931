"""What this process knows of its account: opened with its name held, its standing, and its client of the portal."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

from tenacity import Retrying, retry_if_exception_type, wait_random_exponential

from orders_service.crypto import PASSWORD, SESSION, TOTP, CryptoError, WrongSecret
from orders_service.v1 import rosreestr_users_pb2
from worker.account.calls import CountedByService
from worker.errors import AccountNotUsable, AccountSecretsUnusable, WorkerError
from worker.portal.client import PortalClient
from worker.portal.errors import PortalSettingsInvalid
from worker.portal.login.credentials import Credentials, ImportedCookie, cookies_of
from worker.portal.login.passwords import CountInMemory
from worker.portal.wire.budget import DayBudget
from worker.service.errors import AccountCannotTake, AccountUnknown, ServiceTooOld, ServiceUnreachable, StaleEpoch
from worker.service.reporter import standby_word
from worker.stopping import StopFlag, Stopping

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

    from orders_service.crypto import Secretbox
    from orders_service.v1 import worker_pb2
    from worker.service.reporter import Reporter
    from worker.settings import Settings

_logger = logging.getLogger(__name__)

LANE_MAIN: Final = "main"
LANE_URGENT: Final = "urgent"
_LIMITED: Final = rosreestr_users_pb2.STANDBY_KIND_LIMITED
#: Standing by for one of these, the account must not log in: it was refused, and a loop of refusals locks a person out.
LOGIN_BLOCKED: Final = frozenset(
    {rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED, rosreestr_users_pb2.STANDBY_KIND_PERSON_NEEDED}
)


class Account:
    """What this process knows of its account. Thread-safe, but for `portal`, which belongs to the handler's thread."""

    def __init__(self, settings: Settings, reporter: Reporter, secretbox: Secretbox) -> None:
        self._settings = settings
        self._reporter = reporter
        self._secretbox = secretbox
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._snapshot: worker_pb2.WorkerAccount | None = None
        self._portal: PortalClient | None = None
        self._portal_secrets: tuple[str, ...] | None = None
        # What the portal was last asked with, or was to be: what a mark is about.
        self._tried_version = ""
        # When it was answered, to count on from what it says of times.
        self._snapshot_s = 0.0
        self._must_renew_portal = False
        self._must_lift_hold = False
        limit = settings.portal.daily_limit
        counted = CountedByService(reporter, settings.username, lambda: self.snapshot.epoch, limit)
        self._budget = DayBudget(limit, counted)

    @property
    def username(self) -> str:
        """The account's name."""
        return self._settings.username

    @property
    def snapshot(self) -> worker_pb2.WorkerAccount:
        """The account as the service showed it last."""
        with self._lock:
            if self._snapshot is None:
                raise AssertionError("the account isn't open")
            return self._snapshot

    @property
    def can_take_new(self) -> bool:
        """Whether orders may be taken that aren't the account's own yet."""
        with self._lock:
            return self._snapshot is not None and self._snapshot.can_take_new

    def lanes(self) -> tuple[str, ...]:
        """The lanes to read next, own first: an account that stands by reads its own alone."""
        own = self._settings.own_lane
        return (own, LANE_URGENT, LANE_MAIN) if self.can_take_new else (own,)

    def open(self, stop: StopFlag) -> None:
        """Open the account and raise its epoch, with its name held in the queue. Waits while the service is away.

        Raises:
            AccountNotUsable: Unknown, inactive with nothing left to collect, or sealed with another secret.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(ServiceUnreachable),
            wait=wait_random_exponential(multiplier=0.5, max=10.0),
            stop=lambda _state: stop.is_set,
            sleep=stop.wait,
            before_sleep=_log_waiting,
            reraise=True,
        )
        opened_by = f"{socket.gethostname()}:{os.getpid()}"
        try:
            snapshot = retrying(self._reporter.open_account, self.username, opened_by)
        except (AccountUnknown, AccountCannotTake) as exc:
            raise AccountNotUsable(str(exc)) from exc
        self._set(snapshot)
        _logger.info(
            "account opened",
            extra={
                "event": "account_opened",
                "account_id": snapshot.account_id,
                "epoch": snapshot.epoch,
                "can_take_new": snapshot.can_take_new,
                "why_not": snapshot.why_not,
                "open_orders": snapshot.open_orders,
            },
        )
        self._check_secrets(snapshot, stop)

    def _check_secrets(self, snapshot: worker_pb2.WorkerAccount, stop: StopFlag) -> None:
        """Say before the first order what a person would otherwise learn from a failed login."""
        try:
            self._make_credentials(snapshot)
        except WrongSecret as exc:
            # Nothing is marked: as like as not it is this process that was given the wrong secret.
            raise AccountNotUsable(str(exc)) from exc
        except AccountSecretsUnusable as exc:
            if not snapshot.can_take_new:
                return
            try:
                self.mark(rosreestr_users_pb2.STANDBY_KIND_LOGIN_REFUSED, str(exc), None, sleep=stop.sleep)
            except (ServiceUnreachable, Stopping) as unmarked:
                # The first order's login will find the same, and mark it.
                _logger.warning(
                    "the account's secrets can't be used, and that couldn't be marked",
                    extra={"event": "secrets_unusable", "reason": str(exc), "error": str(unmarked)},
                )

    def refresh(self, sleep: Callable[[float], None]) -> worker_pb2.WorkerAccount:
        """Ask how the account stands, so that what an operator changed is noticed with the next order.

        Raises:
            StaleEpoch: Another worker opened it.
            ServiceUnreachable, ServiceBroken; whatever `sleep` raises.
        """
        epoch = self.snapshot.epoch
        try:
            snapshot = self._reporter.ask(lambda: self._reporter.read_account(self.username, epoch), sleep=sleep)
        except StaleEpoch:
            if self.snapshot.epoch == epoch:
                raise
            return self.snapshot  # it was this very process that opened it anew meanwhile
        self._set(snapshot)
        return snapshot

    def mark(
        self,
        kind: rosreestr_users_pb2.StandbyKind.ValueType,
        reason: str,
        retry_in_s: float | None,
        *,
        sleep: Callable[[float], None],
    ) -> None:
        """Let the account stand by, or (kind unspecified) take orders again.

        It names the secrets that were tried, which needn't be those that were read last: where a person has set others
        since, the account doesn't stand by, and they are tried with the next order.

        Args:
            retry_in_s: Seconds until it tries again by itself; None: after a person did something.

        Raises:
            As for `refresh`.
        """
        snapshot = self._reporter.mark_account(
            self.username,
            self.snapshot.epoch,
            kind=kind,
            reason=reason,
            retry_in_s=retry_in_s,
            secrets_version=self._tried_version,
            sleep=sleep,
        )
        self._set(snapshot)
        if kind and snapshot.standby_kind != kind:
            _logger.info(
                "what was wrong was changed meanwhile",
                extra={"event": "account_mark_late", "kind": standby_word(kind), "reason": reason},
            )
        elif kind:
            _logger.warning(
                "account stands by",
                extra={
                    "event": "account_on_standby",
                    "kind": standby_word(kind),
                    "reason": reason,
                    "delay_s": retry_in_s,
                },
            )
        else:
            _logger.info("account is well again", extra={"event": "account_well"})

    @property
    def is_login_blocked(self) -> bool:
        """Whether the portal must not be asked for a login until a person did something."""
        return _is_login_blocked(self.snapshot)

    def portal(self) -> PortalClient:
        """Return the account at the portal; a new one once its secrets were changed, with the old one's pace.

        Raises:
            AccountSecretsUnusable: There is neither a password nor a session that can be opened.
            PortalSettingsInvalid: The CA bundle can't be used.
        """
        snapshot = self.snapshot
        secrets = (
            snapshot.login,
            snapshot.sealed_password,
            snapshot.sealed_session,
            snapshot.sealed_totp,
            snapshot.role,
        )
        with self._lock:
            must_renew = self._must_renew_portal
        if self._portal is not None and self._portal_secrets == secrets and not must_renew:
            self._hold_as_marked(self._portal)
            return self._portal
        try:
            credentials = self._make_credentials(snapshot)
        except WrongSecret as exc:
            raise AccountSecretsUnusable(str(exc)) from exc
        pacer = self._portal.pacer if self._portal is not None else None
        # Before the old one is closed: where it can't be made, what there is goes on.
        fresh = PortalClient(
            self._settings.portal, credentials, pacer=pacer, count=_PasswordCount(self), budget=self._budget
        )
        self.close()
        self._portal, self._portal_secrets = fresh, secrets
        with self._lock:
            self._must_renew_portal = False
        self._hold_as_marked(fresh)
        return fresh

    def successes(self, step: str) -> int:
        """Return how often a step went well at the portal, in this process."""
        return 0 if self._portal is None else self._portal.successes(step)

    def _hold_as_marked(self, portal: PortalClient) -> None:
        """Call nothing while the portal is to be left alone, not for the account's own orders either, nor after a
        restart; until a person says otherwise."""
        with self._lock:
            snapshot, age_s = self._snapshot, time.monotonic() - self._snapshot_s
            must_lift, self._must_lift_hold = self._must_lift_hold, False
        if must_lift:
            portal.lift_hold()
        if snapshot is not None and (left_s := _limited_s(snapshot) - age_s) > 0:
            portal.hold(left_s)

    def close(self) -> None:
        """Close the connections to the portal. Its session stays alive there."""
        if self._portal is not None:
            self._portal.close()

    def wait_for_standby(self, is_stopping: threading.Event) -> None:
        """Return as soon as the account stands by, or `is_stopping` is set and `notify` called."""
        with self._changed:
            self._changed.wait_for(
                lambda: is_stopping.is_set() or (self._snapshot is not None and not self._snapshot.can_take_new)
            )

    def notify(self) -> None:
        """Let whoever waits for a change look again."""
        with self._changed:
            self._changed.notify_all()

    def _set(self, snapshot: worker_pb2.WorkerAccount) -> None:
        with self._changed:
            before = self._snapshot
            if before is not None and _is_login_blocked(before) and not _is_login_blocked(snapshot):
                # A person did something: a refusal that the portal's client remembers is forgotten.
                self._must_renew_portal = True
            if (
                before is not None
                and snapshot.standby_kind != _LIMITED
                and _limited_s(before) > time.monotonic() - self._snapshot_s
            ):
                # Somebody ended it early. One that ran out, as our own marks show, lifts no other pause.
                self._must_lift_hold = True
            self._snapshot, self._snapshot_s = snapshot, time.monotonic()
            self._changed.notify_all()

    def passwords_sent(self) -> tuple[int, float]:
        """Return how many passwords were sent in a row without a call of use, and the seconds since the last one."""
        with self._lock:
            if self._snapshot is None:
                raise AssertionError("the account isn't open")
            age_s = self._snapshot.password_age.ToTimedelta().total_seconds()
            return self._snapshot.passwords_sent, age_s + time.monotonic() - self._snapshot_s

    def record_password(self, *, was_useful: bool, sleep: Callable[[float], None]) -> None:
        """Write down that a password is about to be sent, or (useful) that the row of them is over.

        Raises:
            As for `refresh`.
        """
        self._set(
            self._reporter.record_password(self.username, self.snapshot.epoch, was_useful=was_useful, sleep=sleep)
        )

    def _make_credentials(self, snapshot: worker_pb2.WorkerAccount) -> Credentials:
        """Open the sealed secrets; they are in memory from here on, as long as the session lasts."""
        self._tried_version = snapshot.secrets_version
        try:
            password = self._open_sealed(snapshot.sealed_password, PASSWORD)
            cookies = _read_cookies(self._open_sealed(snapshot.sealed_session, SESSION))
            return Credentials(
                login=snapshot.login or snapshot.account,
                password=password,
                cookies=cookies,
                totp_secret=self._open_sealed(snapshot.sealed_totp, TOTP),
                role=snapshot.role or None,
            )
        except WrongSecret:
            raise
        except (CryptoError, PortalSettingsInvalid) as exc:
            raise AccountSecretsUnusable(str(exc)) from exc

    def _open_sealed(self, sealed: str, purpose: str) -> str | None:
        return self._secretbox.open(sealed, username=self.username, purpose=purpose) if sealed else None


def _limited_s(snapshot: worker_pb2.WorkerAccount) -> float:
    """For how long the portal is to be left alone, from when the snapshot was made; 0: it isn't."""
    return snapshot.standby_left.ToTimedelta().total_seconds() if snapshot.standby_kind == _LIMITED else 0.0


class _PasswordCount:
    """The account's passwords, counted by the orders service: a restart, or another worker, goes on counting.

    One that is older than this worker counts none: then this process does.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._memory = CountInMemory()

    def read(self) -> tuple[int, float]:
        """Return how many were sent in a row, and the seconds since the last one."""
        return max(self._account.passwords_sent(), self._memory.read())

    def add(self, sleep: Callable[[float], None]) -> None:
        """Count one that is about to be sent."""
        try:
            self._account.record_password(was_useful=False, sleep=sleep)
        except ServiceTooOld:
            self._memory.add(sleep)

    def clear(self, sleep: Callable[[float], None]) -> bool:
        """The row is over."""
        self._memory.clear(sleep)
        try:
            self._account.record_password(was_useful=True, sleep=sleep)
        except ServiceTooOld:
            return True
        except WorkerError as exc:
            # What the call brought counts more: the next one that is of use says it again.
            _logger.warning(
                "can't write down that the session is of use", extra={"event": "password_uncleared", "error": str(exc)}
            )
            return False
        return True


def _is_login_blocked(snapshot: worker_pb2.WorkerAccount) -> bool:
    return snapshot.standby_kind in LOGIN_BLOCKED and not snapshot.can_take_new


def _read_cookies(session: str | None) -> tuple[ImportedCookie, ...]:
    """Read an imported session: a JSON object of names and values, or a list of cookies with their paths."""
    if session is None:
        return ()
    try:
        cookies = json.loads(session)
    except ValueError as exc:
        raise AccountSecretsUnusable("The imported session isn't JSON: import it again.") from exc
    if isinstance(cookies, dict) and all(isinstance(value, str) for value in cookies.values()):
        return cookies_of(cookies)
    if not isinstance(cookies, list) or not all(map(_is_cookie, cookies)):
        raise AccountSecretsUnusable("The imported session isn't cookies, with or without paths: import it again.")
    return tuple(ImportedCookie(name=one["name"], value=one["value"], path=one["path"]) for one in cookies)


def _is_cookie(item: object) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(key), str) for key in ("name", "value", "path"))


def _log_waiting(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    _logger.warning(
        "waiting for the orders service to open the account",
        extra={"event": "service_wait", "attempt": state.attempt_number, "error": str(error)},
    )
