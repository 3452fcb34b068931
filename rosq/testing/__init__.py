"""What only tests use. Nothing of a running system imports this.

`docs/how-to/test-your-handlers.md` shows it at work; `rosq.testing.pytest_plugin` has fixtures for pytest.
"""

from __future__ import annotations

from rosq.testing.run import QueueNotEmpty, Tally, fast_retries, no_wait, run_until_empty
from rosq.testing.temporary import temporary_queue
from rosq.testing.twice import TwiceDeliveringQueue

__all__ = [
    "QueueNotEmpty",
    "Tally",
    "TwiceDeliveringQueue",
    "fast_retries",
    "no_wait",
    "run_until_empty",
    "temporary_queue",
]
