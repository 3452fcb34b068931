"""Fixtures that any test may ask for. Each lives in the module that says what it is."""

from __future__ import annotations

import os
import signal

# Tests start processes with a preexec_fn, so by fork, while gRPC's threads run: its own fork handlers then abort the
# child, now and then, before it becomes the process that was meant. Read by gRPC when it is imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# A shell that starts the run in the background lets it ignore SIGINT, and every process that a test starts inherits
# that: Ctrl-C could not be tried. A handler here becomes the default in the children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.containers", "tests.servers", "tests.postgres", "tests.system_fixtures"]
