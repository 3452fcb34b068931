"""A worker's parts around a scripted service and a portal in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from orders_service.crypto import PASSWORD, Secretbox
from rosq import JobSignal, RedisSettings
from tests.unit.worker.doubles import FakePortal, FakeService, delivery, serving
from worker.account.account import Account
from worker.order.processor import Processor
from worker.portal.settings import PortalSettings
from worker.service.reporter import Reporter
from worker.settings import Settings
from worker.stopping import StopFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rosq import Delivery
    from worker.order.points import Point
    from worker.portal.client import PortalClient

SECRETBOX = Secretbox("a secret of the tests")


class PortalAccount(Account):
    """An account whose portal is in memory."""

    fake: FakePortal
    #: Raised once each instead of making a client.
    making: list[Exception]

    def portal(self) -> PortalClient:
        if self.making:
            raise self.making.pop(0)
        super().portal()
        return cast("PortalClient", self.fake)

    def successes(self, step: str) -> int:
        return self.fake.successes(step)


@dataclass
class Bench:
    """One worker without a queue: `run` hands it a delivery and returns what it told the queue."""

    service: FakeService
    portal: FakePortal
    account: PortalAccount
    reporter: Reporter
    settings: Settings
    log: list[str]
    ended: list[str] = field(default_factory=list)
    at_point: dict[Point, Callable[[], None]] = field(default_factory=dict)

    def reached(self, point: Point) -> None:
        self.log.append(point.value)
        self.at_point.get(point, lambda: None)()

    def processor(self) -> Processor:
        return Processor(self.settings, self.reporter, self.account, stop=self.ended.append, signals=self)

    def run(self, hand_out: Delivery | None = None, *, processor: Processor | None = None) -> JobSignal | None:
        """The signal that the handler raised; None where it returned, which completes the job."""
        processor = processor or self.processor()
        hand_out = hand_out or delivery()
        try:
            processor(hand_out)
        except JobSignal as signal:
            return signal
        finally:
            hand_out.hold.alarm.close()
        return None


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    log: list[str] = []
    service = FakeService(log)
    service.account.sealed_password = SECRETBOX.seal("password", username="a1", purpose=PASSWORD)
    with serving(service) as port:
        settings = Settings(
            username="a1",
            redis=RedisSettings(),
            orders_service_port=port,
            portal=PortalSettings(url="http://127.0.0.1:1", min_interval_s=0.0),
            lock_dir=tmp_path,
        )
        reporter = Reporter.from_settings(settings)
        account = PortalAccount(settings, reporter, SECRETBOX)
        account.fake = FakePortal(log)
        account.making = []
        account.open(StopFlag())
        yield Bench(service, account.fake, account, reporter, settings, log)
        account.close()
        reporter.close()
