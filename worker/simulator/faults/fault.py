"""One fault as a test orders it: which calls, what happens to them, how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What stands in `POST /_simulator/faults`. Exactly one of `kind`, `kinds` and `sequence` is given."""

    endpoint: str
    #: One kind.
    kind: str | None = None
    #: Several: each call that is met gets one of them by chance; `("*",)` is every kind of the call's endpoint.
    kinds: tuple[str, ...] = ()
    #: What the first, second, third … call that fits meets; None lets it pass.
    sequence: tuple[str | None, ...] = ()
    #: Whether the sequence begins again at its end.
    repeat: bool = False
    #: How many calls it meets; None means every one until it is taken away.
    times: int | None = 1
    #: The share of calls that meet it, by the seed.
    rate: float = 1.0
    #: So many calls that fit pass first.
    skip: int = 0
    #: Seconds after which it stands no longer; None: until it is used up or taken away.
    for_s: float | None = None
    #: Only this account's calls; of the login's own, those that name it (`login`, not what leads there).
    account: str | None = None
    #: Only calls about this object, in whatever spelling; its comparison key.
    cad_num: str | None = None
    after: bool = False
    status: int | None = None
    body: str | None = None
    content_type: str | None = None
    charset: str | None = None
    headers: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 1.0
    retry_after_s: int | None = None
    set: Mapping[str, object] = field(default_factory=dict)
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A fault that meets a call: the kind that it is this time, and what was said about it."""

    kind: str
    fault: Fault
