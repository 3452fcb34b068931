"""The orders service beside what PostgreSQL and the queue take for the same: `python -m benchmarks.service`."""

import os

# grpc writes a line for each process that is started beside it. Read when it is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
