"""Codes on their way to a person: by SMS, by the messenger MAX, on a captcha's picture.

A test reads them where a person would, at `GET /_simulator/codes`; or a phone is played that forwards each SMS by HTTP,
as the phones of such installations do.
"""

from __future__ import annotations

import asyncio
import logging
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.simulator.clock import MOSCOW
from worker.simulator.login_steps import StepKind

if TYPE_CHECKING:
    from worker.simulator.chance import Chance
    from worker.simulator.clock import Clock
    from worker.simulator.settings import Knobs

logger = logging.getLogger(__name__)
_FORWARD_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCode:
    """One code, and when it arrives."""

    account: str
    kind: StepKind
    code: str
    text: str
    sent_at_s: float
    arrives_at_s: float
    expires_at_s: float


class Outbox:
    """Sends codes; the last thousand can be read."""

    def __init__(self, clock: Clock, knobs: Knobs, chance: Chance) -> None:
        self._clock = clock
        self._knobs = knobs
        self._chance = chance
        self._sent: deque[SentCode] = deque(maxlen=1000)
        self._count: Counter[tuple[str, StepKind]] = Counter()

    def send(self, account: str, kind: StepKind) -> SentCode:
        """Make a code and send it on its way."""
        nth = self._count[account, kind]
        self._count[account, kind] += 1
        settings, now = self._knobs.now, self._clock.elapsed_s()
        digits = 5 if kind is StepKind.CAPTCHA else 6
        code = f"{int(self._chance.share('code', account, kind, nth) * 10**digits):0{digits}d}"
        at = self._clock.now().astimezone(MOSCOW)
        delay_s = (
            0.0
            if kind is StepKind.CAPTCHA
            else settings.code_delay.at(self._chance.share("code delay", account, kind, nth))
        )
        sent = SentCode(
            account=account,
            kind=kind,
            code=code,
            # Other digits stand behind the code, as they do: who takes the last ones takes the time of day.
            text=f"Никому не говорите код {code}! Вход на Госуслуги {at:%d.%m} в {at:%H:%M}",
            sent_at_s=now,
            arrives_at_s=now + delay_s,
            expires_at_s=now + settings.code_ttl_s,
        )
        self._sent.append(sent)
        if kind is StepKind.SMS and settings.sms_forward:
            asyncio.get_running_loop().call_later(delay_s, self._forward, settings.sms_forward, sent)
        return sent

    def arrived(self, account: str | None = None) -> list[SentCode]:
        """What a person can read by now, oldest first."""
        now = self._clock.elapsed_s()
        return [sent for sent in self._sent if account in (None, sent.account) and sent.arrives_at_s <= now]

    def _forward(self, url: str, sent: SentCode) -> None:
        asyncio.get_running_loop().run_in_executor(None, _call, url, sent)


def _call(url: str, sent: SentCode) -> None:
    """What the phone does: one GET, with the whole text of the SMS."""
    parts = urllib.parse.urlsplit(url)
    more = urllib.parse.urlencode({"userName": sent.account, "code": sent.text})
    target = urllib.parse.urlunsplit(parts._replace(query="&".join(part for part in (parts.query, more) if part)))
    facts = {"event": "simulator_sms_forwarded", "account": sent.account}
    try:
        with urllib.request.urlopen(target, timeout=_FORWARD_TIMEOUT_S) as answer:
            logger.info("The phone forwarded an SMS", extra={**facts, "status": answer.status})
    except (OSError, ValueError) as exc:
        status = exc.code if isinstance(exc, urllib.error.HTTPError) else type(exc).__name__
        logger.warning("The phone couldn't forward an SMS", extra={**facts, "status": status})
