"""Who is logged in: unfinished logins, and the sessions that `AUTH_TOKEN` stands for. A restart forgets both."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.simulator.clock import Clock
    from worker.simulator.settings import Knobs

#: The second factor and the way back to the portal must follow within five minutes.
FLOW_TTL_S = 300.0


@dataclass(slots=True, kw_only=True)
class Session:
    """One login. `oid` is the role it was bound to by `profile/info`, None before."""

    token: str
    account: str
    expires_at_s: float
    oid: str | None = None
    last_used_s: float = 0.0
    calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    account: str
    expires_at_s: float


class SessionStore:
    """Sessions and login flows. An account may have several sessions at once."""

    def __init__(self, clock: Clock, knobs: Knobs) -> None:
        self._clock = clock
        self._knobs = knobs
        self._sessions: dict[str, Session] = {}
        self._second_factors: dict[str, _Flow] = {}
        self._returns: dict[str, _Flow] = {}

    def await_second_factor(self, account: str) -> str:
        """Start the second step of a login; returns what its cookie says."""
        return self._start_flow(self._second_factors, account)

    def second_factor_account(self, flow: str | None) -> str | None:
        """Whose second step this is; a wrong code leaves it open."""
        found = self._second_factors.get(flow or "")
        return found.account if found and found.expires_at_s > self._clock.elapsed_s() else None

    def close_second_factor(self, flow: str) -> None:
        """The code was right: the step can't be taken again."""
        self._second_factors.pop(flow, None)

    def await_return(self, account: str) -> str:
        """Start the way back to the portal; returns the one-use code of `redirect_url`."""
        return self._start_flow(self._returns, account)

    def take_return(self, code: str | None) -> str | None:
        """Whose way back this code is; it works once."""
        found = self._returns.pop(code or "", None)
        return found.account if found and found.expires_at_s > self._clock.elapsed_s() else None

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
        return session

    def find(self, token: str | None) -> Session | None:
        """The live session of this token."""
        session = self._sessions.get(token or "")
        return session if session and self._is_live(session) else None

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

    def _start_flow(self, flows: dict[str, _Flow], account: str) -> str:
        now = self._clock.elapsed_s()
        for name in [name for name, flow in flows.items() if flow.expires_at_s <= now]:
            del flows[name]
        name = uuid.uuid4().hex
        flows[name] = _Flow(account=account, expires_at_s=now + FLOW_TTL_S)
        return name
