"""How much one look looks at, unless it is asked for more."""

from __future__ import annotations

#: Jobs that one listing shows.
DEFAULT_LIMIT = 50
#: Jobs that it looks at to find them.
DEFAULT_SCAN = 10_000
#: Lines of a job's log that are shown.
DEFAULT_LOG_LINES = 20
#: Failed jobs, and delayed ones, that are looked at to group their errors.
ERRORS_SCAN = 5_000
#: Keys, entries and members of each kind that the doctor looks at.
DOCTOR_SCAN = 20_000
#: Lanes and workers that are looked at; the counts say when there are more.
MAX_LANES = 200
MAX_WORKERS = 200
