"""Whatever happens in whatever order: the promises hold, step after step, on a real server.

A short run with every test run. `make test-long`, or ROSQ_PROPERTY_STEPS=100000, makes as many steps as asked for,
other ones each time, and says their seeds; ROSQ_PROPERTY_SEED begins with one of them again.
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from rosq.steering import Steering
from rosq.store.keys import Keys
from tests.integration.rosq.conftest import settings_of
from tests.integration.rosq.property import clock
from tests.integration.rosq.property.hands import LossyQueue
from tests.integration.rosq.property.machine import QueueMachine
from tests.integration.rosq.property.model import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Steps of each of the two clocks in an ordinary test run, in all; and of one run of the machine.
SHORT = 1_500
RUN = 60


@contextlib.contextmanager
def machine(kind: str) -> Iterator[type[QueueMachine]]:
    keys = Keys("property")
    if kind == "frozen":
        library = clock.find_library()
        if library is None:
            pytest.skip("libfaketime isn't installed (apt-get install libfaketime): the server's clock can't be moved")
        if os.environ.get("TEST_REDIS_BINARY"):
            pytest.skip("libfaketime moves the time of the embedded Valkey; of another server it isn't known")
        running = clock.frozen_server(library, keys)
    else:
        running = clock.running_server(keys)
    with (
        running as (server, moved_clock),
        contextlib.closing(LossyQueue(settings_of(server), keys.queue, SETTINGS)) as queue,
    ):
        with server.client() as client, Steering(settings_of(server), keys.queue, by="test", reason="test") as steering:
            facts = {"server": server, "clock": moved_clock, "queue": queue, "client": client, "steering": steering}
            yield type(f"{kind.capitalize()}QueueMachine", (QueueMachine,), facts | {"steps": collections.Counter()})
        queue.wire.close()


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("kind", ["frozen", "running"])
def test_the_promises_hold_whatever_happens_in_whatever_order(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = int(os.environ.get("ROSQ_PROPERTY_STEPS", "0"))
    steps = asked // 2 or SHORT
    first_seed = next_seed = int(os.environ.get("ROSQ_PROPERTY_SEED", "0")) or random.randrange(1, 2**32)
    began_s = time.monotonic()
    with machine(kind) as made:
        while (done := made.steps.total()) < steps:
            examples = max((steps - done) // RUN, 5)
            if asked:
                # Shown with a failure.
                sys.stdout.write(f"ROSQ_PROPERTY_SEED={next_seed}\n")
                seed(next_seed)(made)
                next_seed += 1
            run_state_machine_as_test(
                made,
                settings=settings(
                    max_examples=min(examples, 200),
                    stateful_step_count=RUN,
                    deadline=None,
                    database=None,
                    # The same steps in every ordinary run; other ones each time where many are asked for.
                    derandomize=not asked,
                    print_blob=False,
                    phases=[Phase.generate, Phase.shrink],
                    suppress_health_check=list(HealthCheck),
                ),
            )
            if not asked:
                break
    took_s = time.monotonic() - began_s
    with capsys.disabled():
        kinds = ", ".join(f"{count} {name}" for name, count in made.steps.most_common())
        seeds = f", seeds {first_seed} to {next_seed - 1}" if asked else ""
        sys.stdout.write(f"\n{made.steps.total()} steps in {took_s:.0f} s, {kind} clock{seeds}: {kinds}\n")
    assert made.steps.total() > steps / 3
