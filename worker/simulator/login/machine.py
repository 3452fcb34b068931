"""From a password to the way back: each step of an account's login asked, answered, passed or failed."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.simulator import login_steps
from worker.simulator.login import totp
from worker.simulator.login.codes import Outbox
from worker.simulator.login.flows import Flow, FlowStore
from worker.simulator.login.guard import Guard
from worker.simulator.login.qr import QrDesk
from worker.simulator.login_steps import LoginStep, StepKind

if TYPE_CHECKING:
    from worker.simulator.accounts import Account
    from worker.simulator.chance import Chance
    from worker.simulator.clock import Clock
    from worker.simulator.settings import Knobs

_SENT = (StepKind.SMS, StepKind.MAX, StepKind.CAPTCHA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An answer that wasn't the right one, by the word that the ESIA has for it."""

    word: str
    #: Whether the login goes on: another try is left.
    may_retry: bool = False


class LoginMachine:
    """The ESIA behind its calls: knows accounts' steps, sends codes, counts what was wrong."""

    def __init__(self, clock: Clock, knobs: Knobs, chance: Chance) -> None:
        self._clock = clock
        self._knobs = knobs
        self.flows = FlowStore(clock, knobs)
        self.outbox = Outbox(clock, knobs, chance)
        self.guard = Guard(clock, knobs)
        self.desk = QrDesk(clock, knobs)

    def try_password(self, account: Account | None, password: str) -> Failed | None:
        """Hold a password against an account; None when it is right."""
        if account is None:
            return Failed(word="ACCOUNT_NOT_FOUND")
        if self.guard.is_locked(account.username):
            return Failed(word="ACCOUNT_LOCKED")
        if not hmac.compare_digest(account.password.encode(), password.encode()):
            self.guard.note_wrong(account.username)
            is_locked = self.guard.is_locked(account.username)
            return Failed(word="ACCOUNT_LOCKED" if is_locked else "INVALID_PASSWORD")
        return None

    def begin(self, account: Account) -> Flow:
        """The password was right: go to the first step."""
        asked = list(account.login_steps)
        after = self._knobs.now.captcha_after
        if after and self.guard.wrong(account.username) >= after:
            asked.insert(0, LoginStep(kind=StepKind.CAPTCHA))
        flow = self.flows.begin(account.username, asked)
        self._ask(flow)
        return flow

    def give_code(self, flow: Flow, account: Account, kind: StepKind, code: str) -> Failed | None:
        """Hold a code against the step that waits for one; None when it is right, and the next step is asked."""
        self._expect(flow, kind)
        if kind is StepKind.TOTP:
            assert account.totp_secret is not None, "a step of TOTP is refused for an account without a secret"
            is_right = totp.is_valid(account.totp_secret, code, self._clock.client_s())
        else:
            assert flow.sent is not None, "the code was sent when the step was asked"
            if self._clock.elapsed_s() >= flow.sent.expires_at_s:
                return self._fail(flow, "CODE_EXPIRED")
            is_right = hmac.compare_digest(flow.sent.code.encode(), code.strip().encode())
        return self._go_on(flow) if is_right else self._fail(flow, "INVALID_CODE")

    def give_answer(self, flow: Flow, answer: str) -> Failed | None:
        """Hold an answer against the question."""
        step = self._expect(flow, StepKind.QUESTION)
        return self._go_on(flow) if step.takes(answer) else self._fail(flow, "INVALID_ANSWER")

    def decline(self, flow: Flow, kind: StepKind) -> Failed | None:
        """Go past an offer."""
        step = self._expect(flow, kind)
        if not step.skippable:
            return Failed(word="NOT_SKIPPABLE", may_retry=True)
        return self._go_on(flow)

    def _expect(self, flow: Flow, kind: StepKind) -> LoginStep:
        if not flow.steps or flow.steps[0].kind is not kind:
            raise login_steps.wrong_step()
        return flow.steps[0]

    def _go_on(self, flow: Flow) -> Failed | None:
        """The answer was right: nothing failed, and the next step is asked."""
        flow.steps.pop(0)
        self._ask(flow)
        return None

    def _ask(self, flow: Flow) -> None:
        flow.sent = None
        flow.tries_left = self._knobs.now.code_tries
        if not flow.steps:
            self.guard.note_right(flow.account)
        elif flow.steps[0].kind in _SENT:
            flow.sent = self.outbox.send(flow.account, flow.steps[0].kind)

    def _fail(self, flow: Flow, word: str) -> Failed:
        flow.tries_left -= 1
        if flow.tries_left > 0:
            # A picture is good for one try.
            if flow.steps[0].kind is StepKind.CAPTCHA:
                flow.sent = self.outbox.send(flow.account, StepKind.CAPTCHA)
            return Failed(word=word, may_retry=True)
        self.flows.end(flow)
        self.guard.note_wrong(flow.account)
        is_locked = self.guard.is_locked(flow.account)
        return Failed(word="ACCOUNT_LOCKED" if is_locked else "ATTEMPTS_EXCEEDED")
