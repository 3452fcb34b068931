"""The portal as one account sees it: what the worker calls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.portal.errors import AccountUnusable, Lack
from worker.portal.finish import FinishRequest, PaidCall
from worker.portal.login.session import Session
from worker.portal.pages import access_key, applications, balance, download, profile, search, statement
from worker.portal.wire.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from worker.portal.login.credentials import Credentials
    from worker.portal.pages.applications import Application, Listing
    from worker.portal.pages.download import Downloaded
    from worker.portal.pages.profile import Declarant
    from worker.portal.pages.search import Card, FoundObject
    from worker.portal.pages.statement import Statement
    from worker.portal.settings import PortalSettings
    from worker.portal.wire.pacer import Pacer, Sleep


class PortalClient:
    """One account at the portal. Logs in when first needed and when the session is over; keeps the account's pace.

    Make one per account and keep it: its pause counts from its own making. After the account's credentials changed
    make a new one, since a refused login is never tried again by this one. Not for several threads. Every method
    raises what `errors.py` lists; `retry_after_s` says when waiting helps.
    """

    def __init__(self, settings: PortalSettings, credentials: Credentials, *, pacer: Pacer | None = None) -> None:
        """Prepare; nothing is called yet.

        Args:
            pacer: Of the client before this one, when only the credentials changed: the account keeps its pace.

        Raises:
            PortalSettingsInvalid: The CA bundle can't be used.
        """
        self._transport = Transport(settings, pacer=pacer)
        self._session = Session(self._transport, credentials)

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
        """Let all pauses in this block go through `sleep`: the delivery's, which raises when the lease is lost."""
        before, self._transport.sleep = self._transport.sleep, sleep
        try:
            yield
        finally:
            self._transport.sleep = before

    def log_in(self) -> None:
        """Open the session now, unless it stands; every other method does so by itself."""
        self._session.ensure_open()

    def person_oid(self) -> str:
        """Return the id of the person and role that all calls are made as. It never changes for one client."""
        return self._session.person_oid()

    def profile(self) -> Declarant:
        """Return the person who orders, as the portal showed them at login."""
        return profile.read_declarant(self._session)

    def balance(self) -> int:
        """Return how many orders are left. What can't be read raises; it is never taken for enough."""
        return balance.read_balance(self._session)

    def search(self, cad_num: str) -> tuple[FoundObject, ...]:
        """Return what the portal finds under a number; `judge` says what that means for the order."""
        return search.search(self._session, cad_num)

    def cards(self, cad_num: str) -> tuple[Card, ...]:
        """Return the cards under a number: they alone show whether the object was annulled."""
        return search.read_cards(self._session, cad_num)

    def access_key(self) -> str:
        """Return the person's access key."""
        return access_key.read_access_key(self._session)

    def upload(self, request: Statement) -> None:
        """Upload a statement; nothing is paid. After any doubt upload it again, with the same GUIDs."""
        self._check_person(request.declarant.person_oid)
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
        return applications.list_applications(self._session, cad_num=cad_num)

    def find_application(self, request_number: str) -> Application | None:
        """Return the row with exactly this number, or None while the list doesn't show it."""
        return applications.find_application(self._session, request_number)

    def download(self, application_id: int, into: Path) -> Downloaded:
        """Bring an application's paper to `into`, whole or not at all."""
        return download.download(self._session, application_id, into)

    def _check_person(self, person_oid: str) -> None:
        if self._session.person_oid() != person_oid:
            raise AccountUnusable(
                "The order was begun by another person or role than the session's: log in as that one.",
                lack=Lack.SAME_PERSON,
            )
