"""What the doctor found: one thing that was looked at."""

from __future__ import annotations

import dataclasses

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"
#: What needs doing first comes first.
LEVELS = (ERROR, WARNING, NOTE, OK)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    #: ok; note: worth knowing; warning: look at it when you can; error: jobs are in danger or stuck.
    level: str
    #: What was looked at, one word.
    subject: str
    #: What was seen, one sentence.
    seen: str
    #: What to do about it; None where nothing needs doing.
    advice: str | None = None


def sentence(finding: Finding) -> str:
    """What was seen and what to do, in one go."""
    return f"{finding.seen} {finding.advice}" if finding.advice else finding.seen


def mib(size: int) -> str:
    """Say a size: `12.5 MiB`."""
    return f"{size / 2**20:,.1f} MiB"
