"""A queue whose key schema is newer than this rosq knows: how it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rosq import Queue, QueueNewer
from rosq.inspect.inspector import Inspector
from rosq.keys import SCHEMA_VERSION
from tests.integration.rosq.conftest import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import EmbeddedRedis


@pytest.fixture
def newer(own_redis: EmbeddedRedis) -> Iterator[Queue]:
    """A queue that a newer rosq took over, beside one of this rosq."""
    with Queue(settings_of(own_redis), "zebra") as queue:
        queue.enqueue({}, job_id="sound")
    with Queue(settings_of(own_redis), "letters") as queue, own_redis.client() as client:
        queue.enqueue({}, job_id="newer")
        client.hset(queue.keys.meta, "schema_version", SCHEMA_VERSION + 1)
        yield queue


def test_who_looks_by_code_gets_an_error_of_its_own(own_redis: EmbeddedRedis, newer: Queue) -> None:
    with Inspector(settings_of(own_redis)) as inspector, pytest.raises(QueueNewer) as caught:
        inspector.look("letters")

    assert (caught.value.queue, caught.value.schema_version) == ("letters", SCHEMA_VERSION + 1)
