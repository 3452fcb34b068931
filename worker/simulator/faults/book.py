"""The faults that stand, and which of them meets a call.

What chance decides is asked once for each call, by what the call is and how many of its like came before. So a seed
gives the same again, whatever other accounts do meanwhile.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from worker.simulator.faults.fault import Fault, Met
from worker.simulator.faults.kinds import ANY, Moment, by_chance_at, moment_of

if TYPE_CHECKING:
    from worker.simulator.chance import Chance
    from worker.simulator.clock import Clock

_MOOD = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What of a call decides which faults fit."""

    endpoint: str
    account: str | None
    #: Comparison key of the object that the call is about.
    key: str | None
    #: Share of such calls that meet any fault at all, whatever was ordered.
    mood: float = 0.0


class FaultBook:
    """All faults that were ordered. The first that fits a call at a moment meets it."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._count = 0
        self._faults: dict[int, Fault] = {}
        self._begun_s: dict[int, float] = {}
        self._hits: Counter[int] = Counter()
        self._seen: Counter[tuple[int, CallFacts]] = Counter()

    def add(self, fault: Fault) -> int:
        """Let a fault stand; returns its id."""
        self._count += 1
        self._faults[self._count] = fault
        self._begun_s[self._count] = self._clock.elapsed_s()
        return self._count

    def meet(self, facts: CallFacts) -> Meeting:
        """Decide what a call will meet, at whichever moment it comes to."""
        found = [
            (id_, met)
            for id_, fault in self._faults.items()
            if self._stands(id_, fault) and _fits(fault, facts) and (met := self._met(id_, fault, facts)) is not None
        ]
        if facts.mood > 0:
            moody = Fault(endpoint=ANY, kinds=(ANY,), times=None, rate=facts.mood)
            if (met := self._met(_MOOD, moody, facts)) is not None:
                found.append((_MOOD, met))
        return Meeting(self, found)

    def use(self, id_: int) -> bool:
        """Count a meeting; False when the fault has had all of its own meanwhile."""
        fault = self._faults.get(id_)
        if id_ != _MOOD and (fault is None or not self._stands(id_, fault)):
            return False
        self._hits[id_] += 1
        return True

    def remove(self, id_: int | None = None) -> int:
        """Take one fault away, or all; returns how many there were."""
        ids = [known for known in self._faults if id_ in (None, known)]
        for known in ids:
            del self._faults[known]
            self._hits.pop(known, None)
        return len(ids)

    def list(self) -> list[dict[str, object]]:
        """Every fault with its id and how often it met a call; used-up ones too."""
        return [{"id": id_, **asdict(fault), "hits": self._hits[id_]} for id_, fault in self._faults.items()]

    def _stands(self, id_: int, fault: Fault) -> bool:
        is_over = fault.for_s is not None and self._clock.elapsed_s() >= self._begun_s[id_] + fault.for_s
        return not is_over and (fault.times is None or self._hits[id_] < fault.times)

    def _met(self, id_: int, fault: Fault, facts: CallFacts) -> Met | None:
        nth = self._seen[id_, facts]
        self._seen[id_, facts] += 1
        like = (id_, facts.account, facts.endpoint, facts.key, nth)
        nth -= fault.skip
        if nth < 0 or (fault.rate < 1 and self._chance.share("meets", *like) >= fault.rate):
            return None
        kind = fault.kind
        if fault.sequence:
            if nth >= len(fault.sequence) and not fault.repeat:
                return None
            kind = fault.sequence[nth % len(fault.sequence)]
        elif fault.kinds:
            kinds = by_chance_at(facts.endpoint) if fault.kinds == (ANY,) else fault.kinds
            kind = self._chance.one_of(kinds, "kind", *like)
        return None if kind is None else Met(kind=kind, fault=fault)


class Meeting:
    """What meets one call."""

    def __init__(self, book: FaultBook, found: list[tuple[int, Met]]) -> None:
        self._book = book
        self._found = found

    def take(self, moment: Moment) -> Met | None:
        """The fault that meets the call at this moment; it is used up by one."""
        for at, (id_, met) in enumerate(self._found):
            if moment_of(met.kind, is_after=met.fault.after) is moment and self._book.use(id_):
                del self._found[at]
                return met
        return None


def _fits(fault: Fault, facts: CallFacts) -> bool:
    return (
        fault.endpoint in (facts.endpoint, ANY)
        and fault.account in (None, facts.account)
        and fault.cad_num in (None, facts.key)
    )
