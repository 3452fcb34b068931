"""Every decision × every state × what was read before, meanwhile and after × its repeat × a colleague's repeat.

What must hold in every cell: no send that wasn't decided, no row ruled out that nobody was shown, no number that can't
be corrected, no decision that leads back to the same hold, and no way shown that isn't one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import shlex
from typing import TYPE_CHECKING, Any, Final

import pytest

from orders_service import errors
from orders_service.life import cancelling, retrying, work
from tests.integration.orders_service.life.bench import Bench, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from orders_service.domain.decisions import Basis
    from orders_service.domain.facts import ApplicationRow
    from orders_service.domain.orders import Holder
    from orders_service.life.cases import Case

_numbers = itertools.count(2_000)


@dataclasses.dataclass
class Cell:
    """An order of an object of its own, and what was decided about it."""

    bench: Bench
    holder: Holder
    cad_num: str
    shown: Case | None = None

    @property
    def id(self) -> int:
        return self.holder.order_id

    def row(self, place: int) -> ApplicationRow:
        """A row of the order's object; its id and number are nobody else's."""
        last = int(self.cad_num.rsplit(":", 1)[1])
        return row(last * 10 + place, f"N-{last}-{place}", self.cad_num)

    def read(self, *places: int) -> None:
        self.bench.read(self.holder, *(self.row(place) for place in places))

    def hold(self, reason: str = "its job failed") -> None:
        async def held() -> None:
            async with work.working(self.bench.db) as working:
                await working.hold_unread(self.id, reason, actor="reconciler")

        self.bench.run(held())

    def known(self) -> set[int]:
        rows = self.bench.all("select known_application_ids from submissions where order_id = %(id)s", id=self.id)
        return {known for found in rows for known in found["known_application_ids"]}


def start(bench: Bench, make: Callable[[Bench, str], Holder]) -> Cell:
    cad_num = f"77:01:0001001:{next(_numbers)}"
    holder = make(bench, cad_num)
    cell = Cell(bench, holder, cad_num)
    if bench.sends(cell.id):
        bench.age(cell.id, 0.2)
    return cell


def _absent(bench: Bench, cad_num: str) -> Holder:
    holder = bench.sent(cad_num=cad_num)
    bench.make_absent(holder)
    return holder


def _registered(bench: Bench, cad_num: str) -> Holder:
    holder = bench.sent(cad_num=cad_num)
    last = int(cad_num.rsplit(":", 1)[1])
    bench.read(holder, row(last * 10, f"N-{last}-0", cad_num))
    return holder


def _completed(bench: Bench, cad_num: str) -> Holder:
    last = int(cad_num.rsplit(":", 1)[1])
    return bench.completed(cad_num=cad_num, number=f"N-{last}-0", application_id=last * 10)


def _failed(bench: Bench, cad_num: str) -> Holder:
    holder = bench.uploaded(cad_num=cad_num)
    bench.fail(holder)
    return holder


def _cancelled(bench: Bench, cad_num: str) -> Holder:
    holder = bench.delivery(bench.add_order(cad_num=cad_num))
    bench.execute("update orders set state = 'cancelled', finished_at = now() where id = %(id)s", id=holder.order_id)
    return holder


STATES: Final[dict[str, Callable[[Bench, str], Holder]]] = {
    "queued": lambda bench, cad_num: bench.delivery(bench.add_order(cad_num=cad_num)),
    "processing": lambda bench, cad_num: bench.uploaded(cad_num=cad_num),
    "unconfirmed": lambda bench, cad_num: bench.sent(cad_num=cad_num),
    "absent": _absent,
    "registered": _registered,
    "completed": _completed,
    "failed": _failed,
    "cancelled": _cancelled,
}


def _by_number(cell: Cell, on: Basis) -> None:
    cell.bench.by_number(on, cell.row(1).order_number, is_unseen=True)


def _as_absent(cell: Cell, on: Basis) -> None:
    assert cell.shown is not None
    cell.bench.as_absent(on, *(seen.application_id for seen in cell.shown.seen.rows))


DECISIONS: Final[dict[str, Callable[[Cell, Basis], None]]] = {
    "number": _by_number,
    "absent": _as_absent,
    "resume": lambda cell, on: cell.bench.resume(on),
    "give up": lambda cell, on: cell.bench.give_up(on),
}

BEFORE: Final = ((), (1,), (1, 2))
MEANWHILE: Final = ((), (1, 2, 3))


def cells() -> list[tuple[tuple[int, ...], tuple[int, ...], bool]]:
    return list(itertools.product(BEFORE, MEANWHILE, (False, True)))


@pytest.mark.parametrize("name", DECISIONS)
@pytest.mark.parametrize("state", STATES)
def test_a_decision_in_every_cell(bench: Bench, state: str, name: str) -> None:
    decide = DECISIONS[name]
    for before, meanwhile, is_held in cells():
        cell = start(bench, STATES[state])
        if is_held:
            cell.hold()
        if cell.bench.sends(cell.id):
            cell.read(*before)
        on = bench.basis(cell.id)
        cell.shown = bench.case(cell.id)
        shown = {seen.application_id for seen in cell.shown.seen.rows}
        known = cell.known()
        if cell.bench.sends(cell.id) and meanwhile:
            cell.read(*meanwhile)
        sends = [(send["send_id"], send["outcome"]) for send in bench.sends(cell.id)]
        held = bench.order(cell.id)["hold_reason"]

        where = f"{state}, {name}, read {before}, then {meanwhile}, held: {is_held}"
        try:
            decide(cell, on)
        except errors.Refused:
            # Nothing is as if it had been decided.
            assert [(send["send_id"], send["outcome"]) for send in bench.sends(cell.id)] == sends, where
            assert cell.known() == known, where
            assert bench.order(cell.id)["hold_reason"] == held, where
            continue

        after = bench.sends(cell.id)
        assert [send["send_id"] for send in after] == [send_id for send_id, _ in sends], where
        absent = [send for send in after if send["settled_by"] == "operator:ivan" and send["outcome"] == "absent"]
        assert not absent or name == "absent", f"nobody decided it: {where}"
        assert cell.known() - known <= shown, f"nobody was shown them: {where}"
        done = bench.snapshot(cell.id)
        for actor in ("ivan", "maria"):
            decide(cell, dataclasses.replace(on, actor=actor))
            assert bench.snapshot(cell.id) == done, f"repeated by {actor}: {where}"
        if name == "number":
            for number in ("OTHER", cell.row(1).order_number):
                bench.by_number(cell.id, f"{number}-{cell.id}" if number == "OTHER" else number, is_unseen=True)
                assert bench.order(cell.id)["rosreestr_order_num"] is not None, where
        _go_on(cell, name, held, where, seen=before)


def _go_on(cell: Cell, name: str, held: str | None, where: str, *, seen: tuple[int, ...]) -> None:
    """What is read afterwards: the same as before is no news, and what nobody was shown is an alarm."""
    bench = cell.bench
    if bench.order(cell.id)["state"] not in ("processing", "unconfirmed", "registered") or not bench.sends(cell.id):
        return
    with contextlib.suppress(errors.Refused):  # who has it in hand is told nothing
        cell.holder = bench.claim(cell.id)
    alarms = len(bench.events(cell.id, "alarm"))
    cell.read(*seen)
    assert held is None or bench.order(cell.id)["hold_reason"] != held, f"held by the same again: {where}"
    if name == "absent" and bench.order(cell.id)["hold_reason"] is None:
        cell.read(*seen, 4)
        assert len(bench.events(cell.id, "alarm")) == alarms + 1, f"a row that nobody was shown: {where}"


@pytest.mark.parametrize("state", STATES)
def test_every_way_that_is_shown_is_one_and_each_hold_has_some(bench: Bench, state: str) -> None:
    for before, is_held in itertools.product(BEFORE, (False, True)):
        ways: list[str] = []
        for place in itertools.count():
            cell = start(bench, STATES[state])
            if is_held:
                cell.hold()
            if bench.sends(cell.id):
                cell.read(*before)
            ways = list(bench.case(cell.id).ways)
            if place == 0:
                _check_text(cell, ways)
            if place >= len(ways):
                break
            follow(cell, ways[place])
            assert bench.order(cell.id)["hold_reason"] is None, ways[place]


def _check_text(cell: Cell, ways: list[str]) -> None:
    """A hold names what can be done about it: each command of the ways, and no other."""
    held = cell.bench.order(cell.id)["hold_reason"]
    if held is None:
        return
    assert f"`orders-service orders show {cell.id}`" in held
    for command in ("settle --number", "settle --absent", "resume", "give-up"):
        name, _, option = command.partition(" ")
        shown = any(f" {name} " in way and option in way for way in ways)
        assert (command in held) == shown, (held, ways)


def follow(cell: Cell, way: str) -> None:
    """Do what the command says."""
    program, orders, command, order_id, *options = shlex.split(way)
    assert (program, orders, int(order_id)) == ("orders-service", "orders", cell.id)
    given: dict[str, list[str]] = {}
    while options:
        name = options.pop(0)
        has_value = bool(options) and not options[0].startswith("--")
        given.setdefault(name, []).append(options.pop(0) if has_value else "")
    on = cell.bench.basis(cell.id)
    if command in ("cancel", "retry"):
        assert given == {"--why": ["WHY"]}
        if command == "cancel":
            cell.bench.run(cancelling.cancel(cell.bench.db, cell.id, actor="operator:ivan", reason="WHY"))
        else:
            cell.bench.run(retrying.retry(cell.bench.db, dataclasses.replace(on, reason="WHY")))
        return
    assert given.get("--send", ["None"]) == [str(on.send_id)]
    assert given["--case"] == [str(on.case_no)]
    despite: Any = tuple(given.get("--despite", ()))
    match command:
        case "settle" if "--absent" in given:
            cell.bench.as_absent(on, *map(int, given.get("--row", ())), despite=despite)
        case "settle":
            number = given["--number"][0]
            number = f"N-{cell.id}" if number == "NUMBER" else number
            cell.bench.by_number(on, number, despite=despite, is_unseen="--unseen" in given)
        case "resume":
            cell.bench.resume(on)
        case _:
            assert command == "give-up"
            cell.bench.give_up(on)
