"""A scripted portal for each test, and clients of it that don't dawdle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.worker.portal.server import Portal, running_portal
from worker.portal.client import PortalClient
from worker.portal.login.credentials import Credentials
from worker.portal.settings import PortalSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.portal.login.passwords import PasswordCount

ClientFactory = "Callable[..., PortalClient]"


@pytest.fixture
def portal() -> Iterator[Portal]:
    with running_portal() as portal:
        yield portal


@pytest.fixture
def make_client(portal: Portal) -> Iterator[Callable[..., PortalClient]]:
    """A factory: settings by keyword, `credentials` for others than the right password."""
    made: list[PortalClient] = []

    def make(
        *, credentials: Credentials | None = None, count: PasswordCount | None = None, **changes: Any
    ) -> PortalClient:
        settings = PortalSettings(
            **{"url": portal.url, "min_interval_s": 0.0, "jitter_s": 0.0, "patience_s": 2.0, **changes}
        )
        credentials = credentials or Credentials(login="+70000000000", password="right")
        made.append(PortalClient(settings, credentials, count=count))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., PortalClient]) -> PortalClient:
    return make_client()
