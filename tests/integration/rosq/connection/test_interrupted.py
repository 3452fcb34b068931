"""Calls that are broken off at any instant, and values that no command can have: no crash, no wrong answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers import RedisServer

ROOT = Path(__file__).parents[4]
TIMES = 3_000


def test_three_thousand_calls_that_a_signal_handler_breaks_off_end_no_process_and_mix_up_no_answer(
    redis_server: RedisServer, queue_name: str
) -> None:
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.integration.rosq.connection.interrupted_process"]
    env = {**os.environ, **redis_server.env()}

    done = subprocess.run(
        [*command, queue_name, str(TIMES)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=170, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, str(TIMES)), done.stderr[-3000:]
