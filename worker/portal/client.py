"""The portal as one account sees it: what the worker calls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.portal.errors import AccountUnusable, Lack, ObjectForbidden, StepForbidden
from worker.portal.finish import FinishRequest, PaidCall
from worker.portal.login.session import Session
from worker.portal.pages import access_key, applications, balance, download, profile, search, statement
from worker.portal.wire.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from worker.portal.login.credentials import Credentials
    from worker.portal.login.passwords import PasswordCount
    from worker.portal.pages.applications import Application, Listing
    from worker.portal.pages.download import Downloaded
    from worker.portal.pages.profile import Declarant
    from worker.portal.pages.search import Card, FoundObject
    from worker.portal.pages.statement import Statement
    from worker.portal.settings import PortalSettings
    from worker.portal.wire.budget import DayBudget
    from worker.portal.wire.pacer import Pacer, Sleep


class PortalClient:
    """One account at the portal. Logs in when first needed and when the session is over; keeps the account's pace.

    Make one per account and keep it: its pause counts from its own making. After the account's credentials changed
    make a new one, since a refused login is never tried again by this one. Not for several threads. Every method
    raises what `errors.py` lists; `retry_after_s` says when waiting helps.
    """

    def __init__(
        self,
        settings: PortalSettings,
        credentials: Credentials,
        *,
        pacer: Pacer | None = None,
        count: PasswordCount | None = None,
        budget: DayBudget | None = None,
    ) -> None:
        """Prepare; nothing is called yet.

        Args:
            pacer: Of the client before this one, when only the credentials changed: the account keeps its pace.
            count: Where passwords are counted; None: in memory, which a restart forgets.

            budget: The day's calls; None: counted in memory, which a restart forgets.

        Raises:
            PortalSettingsInvalid: The CA bundle can't be used.
        """
        self._transport = Transport(settings, pacer=pacer, budget=budget)
        self._session = Session(self._transport, credentials, count)

    def __enter__(self) -> PortalClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections. The session stays alive at the portal; it isn't logged out."""
        self._transport.close()

    @property
    def settings(self) -> PortalSettings:
        """How this client reaches the portal."""
        return self._transport.settings

    @property
    def pacer(self) -> Pacer:
        """The account's pace, to hand on to the next client."""
        return self._transport.pacer

    @contextmanager
    def pausing_with(self, sleep: Sleep) -> Iterator[None]:
        """Let all pauses in this block go through `sleep`: the delivery's, which raises when the lease is lost.

        What belongs to a paid call that was opened in this block ends with it: from there on quiet hours bind again.
        """
        before, self._transport.sleep = self._transport.sleep, sleep
        try:
            yield
        finally:
            self._transport.sleep = before
            self._transport.is_paying = False

    def need_calls(self, calls: int) -> None:
        """Make sure that the day has so many calls left, before something is begun that needs them.

        Raises:
            RateLimited: It hasn't.
        """
        self._transport.budget.need(calls, self._transport.sleep)

    def hold(self, seconds: float) -> None:
        """Let no call go out for so long, not even the login's; a longer pause that stands already stays."""
        self._transport.pacer.hold(seconds)

    def lift_hold(self) -> None:
        """Go on before such a pause is over, because a person says so."""
        self._transport.pacer.lift()

    def successes(self, step: str) -> int:
        """Return how often a step went well in this process: what fails without one in between fails in a row."""
        return self._transport.pacer.successes(step)

    def forget_profile(self) -> None:
        """Ask who the person is anew with the next call: his profile may have been mended, or have changed."""
        self._session.forget_profile()

    def log_in(self) -> None:
        """Open the session now, unless it stands; every other method does so by itself."""
        self._session.ensure_open()

    def person_oid(self) -> str:
        """Return the id of the person and role that all calls are made as. It never changes for one client."""
        return self._session.person_oid()

    def profile(self) -> Declarant:
        """Return the person who orders, as the portal showed them at login, or after something was missing."""
        return profile.read_declarant(self._session)

    def balance(self) -> int:
        """Return how many orders are left. What can't be read raises; it is never taken for enough."""
        with self._forbidden_to_account():
            return balance.read_balance(self._session)

    def search(self, cad_num: str) -> tuple[FoundObject, ...]:
        """Return what the portal finds under a number; `judge` says what that means for the order."""
        with self._forbidden_to_whom():
            return search.search(self._session, cad_num)

    def cards(self, cad_num: str) -> tuple[Card, ...]:
        """Return the cards under a number: they alone show whether the object was annulled."""
        with self._forbidden_to_whom():
            return search.read_cards(self._session, cad_num)

    def access_key(self) -> str:
        """Return the person's access key."""
        with self._forbidden_to_account():
            return access_key.read_access_key(self._session)

    def upload(self, request: Statement) -> None:
        """Upload a statement; nothing is paid. After any doubt upload it again, with the same GUIDs."""
        self._check_person(request.declarant.person_oid)
        with self._forbidden_to_whom():
            statement.upload(self._session, request)

    def prepare_finish(self, request: FinishRequest) -> PaidCall:
        """Return the paid call, ready but for its connection. To be done before the gate; nothing is sent.

        Raises:
            AccountUnusable: The session is another person's than the journalled one.
        """
        self._check_person(request.person_oid)
        return PaidCall(self._transport, request)

    def list_applications(self, *, cad_num: str = "") -> Listing:
        """Read the account's list to its end: all of it, or what it shows of one object in the portal's spelling."""
        with self._forbidden_to_account():
            return applications.list_applications(self._session, cad_num=cad_num)

    def find_application(self, request_number: str) -> Application | None:
        """Return the row with exactly this number, or None while the list doesn't show it."""
        with self._forbidden_to_account():
            return applications.find_application(self._session, request_number)

    def download(self, application_id: int, into: Path) -> Downloaded:
        """Bring an application's paper to `into`, whole or not at all."""
        with self._forbidden_to_whom():
            return download.download(self._session, application_id, into)

    @contextmanager
    def _forbidden_to_account(self) -> Iterator[None]:
        """A call that is about no object: who may not make it may do nothing."""
        try:
            yield
        except StepForbidden as exc:
            raise _told(
                AccountUnusable(f"{exc} Check the account's rights at the portal.", lack=Lack.PERMISSION), exc
            ) from exc

    @contextmanager
    def _forbidden_to_whom(self) -> Iterator[None]:
        """A call about an object: whether the account may do anything at all is asked by one that is about none."""
        try:
            yield
        except StepForbidden as exc:
            self.balance()
            raise _told(ObjectForbidden(f"The portal forbids the account this object alone: {exc}"), exc) from exc

    def _check_person(self, person_oid: str) -> None:
        if self._session.person_oid() != person_oid:
            raise AccountUnusable(
                "The order was begun by another person or role than the session's: log in as that one.",
                lack=Lack.SAME_PERSON,
            )


def _told(error: AccountUnusable | ObjectForbidden, of: StepForbidden) -> AccountUnusable | ObjectForbidden:
    error.step = of.step
    return error
