"""Who is logged in: the sessions that `AUTH_TOKEN` stands for. A restart forgets them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.simulator.clock import Clock
    from worker.simulator.settings import Knobs


@dataclass(slots=True, kw_only=True)
class Session:
    """One login. `oid` is the role it was bound to by `profile/info`, None before."""

    token: str
    account: str
    expires_at_s: float
    oid: str | None = None
    last_used_s: float = 0.0
    calls: int = 0


class SessionStore:
    """Sessions by token. An account may have several at once, unless a setting says otherwise."""

    def __init__(self, clock: Clock, knobs: Knobs) -> None:
        self._clock = clock
        self._knobs = knobs
        self._sessions: dict[str, Session] = {}
        self._owners: dict[str, str] = {}

    def open(self, account: str) -> Session:
        """Begin a session; it isn't bound to a role yet."""
        now = self._clock.elapsed_s()
        settings = self._knobs.now
        if settings.single_session:
            self.end(account)
        self._sessions = {token: old for token, old in self._sessions.items() if self._is_live(old)}
        session = Session(
            token=str(uuid.uuid4()), account=account, expires_at_s=now + settings.session_ttl_s, last_used_s=now
        )
        self._sessions[session.token] = session
        self._owners[session.token] = account
        return session

    def find(self, token: str | None) -> Session | None:
        """The live session of this token."""
        session = self._sessions.get(token or "")
        return session if session and self._is_live(session) else None

    def owner_of(self, token: str | None) -> str | None:
        """Whose token this is or was: a call over a dead session is still that account's call."""
        return self._owners.get(token or "")

    def use(self, session: Session) -> None:
        """Note a call that the session was good for."""
        session.last_used_s = self._clock.elapsed_s()
        session.calls += 1

    def list(self) -> list[Session]:
        """Every live session."""
        return [session for session in self._sessions.values() if self._is_live(session)]

    def end(self, account: str | None = None) -> int:
        """End every session of an account, or of all; returns how many there were."""
        ended = [token for token, session in self._sessions.items() if account in (None, session.account)]
        for token in ended:
            del self._sessions[token]
        return len(ended)

    def _is_live(self, session: Session) -> bool:
        now, settings = self._clock.elapsed_s(), self._knobs.now
        is_idle = settings.session_idle_s and now >= session.last_used_s + settings.session_idle_s
        is_used_up = settings.session_calls and session.calls >= settings.session_calls
        return session.expires_at_s > now and not is_idle and not is_used_up
