"""Logins under way: whose they are, what is asked now, and the ways back to the portal that they end in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.simulator.clock import Clock
    from worker.simulator.login.codes import SentCode
    from worker.simulator.login_steps import LoginStep
    from worker.simulator.settings import Knobs


@dataclass(slots=True, kw_only=True)
class Flow:
    """One login between its password and its way back. The flow's cookie carries `name`."""

    name: str
    account: str
    expires_at_s: float
    #: What is still to be asked; the first is what is asked now.
    steps: list[LoginStep] = field(default_factory=list)
    #: The code that the step now waits for, where the portal sent one.
    sent: SentCode | None = None
    tries_left: int = 0


class FlowStore:
    """Flows and ways back. A restart forgets them."""

    def __init__(self, clock: Clock, knobs: Knobs) -> None:
        self._clock = clock
        self._knobs = knobs
        self._flows: dict[str, Flow] = {}
        self._returns: dict[str, tuple[str, float]] = {}

    def begin(self, account: str, steps: list[LoginStep]) -> Flow:
        """A password was right, and more is asked."""
        now = self._clock.elapsed_s()
        self._flows = {name: flow for name, flow in self._flows.items() if flow.expires_at_s > now}
        flow = Flow(name=uuid.uuid4().hex, account=account, expires_at_s=now + self._knobs.now.flow_ttl_s, steps=steps)
        self._flows[flow.name] = flow
        return flow

    def find(self, name: str | None) -> Flow | None:
        """The flow of a cookie, unless its time is over."""
        flow = self._flows.get(name or "")
        return flow if flow is not None and flow.expires_at_s > self._clock.elapsed_s() else None

    def end(self, flow: Flow) -> None:
        """The login is over, well or not."""
        self._flows.pop(flow.name, None)

    def await_return(self, account: str) -> str:
        """Open the way back to the portal; returns the one-use code of `redirect_url`."""
        code = uuid.uuid4().hex
        self._returns[code] = (account, self._clock.elapsed_s() + self._knobs.now.flow_ttl_s)
        return code

    def take_return(self, code: str | None) -> str | None:
        """Whose way back this code is; it works once."""
        account, expires_at_s = self._returns.pop(code or "", (None, 0.0))
        return account if expires_at_s > self._clock.elapsed_s() else None
