"""Where the time of one job goes: the server by its own counters, the client by cProfile."""

from __future__ import annotations

import dataclasses
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from benchmarks.contender import Runtime
from benchmarks.rates import drain_counted
from benchmarks.runner import PATIENCE_S, PAYLOAD

if TYPE_CHECKING:
    from benchmarks.runner import Runner
    from benchmarks.server import Counters

#: Commands that run others.
_SCRIPTS = ("eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One line: so many µs, and calls, of each job."""

    what: str
    us: float
    calls: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One step of a contender; µs a job."""

    step: str
    #: By the contender's clock.
    wall_us: float
    client_us: float
    server_us: float
    #: Of the server's: the scripts as a whole, and what they call.
    script_us: float
    called_us: float
    #: Each command by its own time.
    commands: list[Share]
    #: By module and by function; cProfile makes Python look slower than it is, so this isn't of `client_us`.
    modules: list[Share] = dataclasses.field(default_factory=list)
    functions: list[Share] = dataclasses.field(default_factory=list)


def profile(runner: Runner, jobs: int) -> list[Profile]:
    """Enqueue jobs one by one and drain them; then, where it runs in this Python, drain as many under cProfile."""
    is_python = runner.contender.runtime is Runtime.OWN
    with runner.warm_producer() as producer:
        before = runner.server.count()
        told = producer.ask(PATIENCE_S, do="one", count=jobs, data=PAYLOAD)
        enqueue = _make("enqueue", jobs, told, runner.server.count() - before)
        drained = _make("drain", jobs, *drain_counted(runner, jobs))
        if is_python:
            producer.ask(PATIENCE_S, do="one", count=jobs + runner.contender.warm_up, data=PAYLOAD)
            told, _ = drain_counted(runner, jobs, is_profiling=True)
            modules, functions = _read_functions(told["profile"], jobs)
            drained = dataclasses.replace(drained, modules=modules, functions=functions)
    return [enqueue, drained]


def _make(step: str, jobs: int, told: dict[str, Any], spent: Counters) -> Profile:
    commands = [
        Share(what=name, us=us / jobs, calls=calls / jobs)
        for name, (calls, us) in sorted(spent.by_command.items(), key=lambda each: -each[1][1])
    ]
    script_us = sum(share.us for share in commands if share.what in _SCRIPTS)
    return Profile(
        step=step,
        wall_us=told["seconds"] / jobs * 1e6,
        client_us=told["cpu_s"] / jobs * 1e6,
        server_us=spent.cpu_s / jobs * 1e6,
        script_us=script_us,
        called_us=sum(share.us for share in commands if share.what not in _SCRIPTS) if script_us else 0.0,
        commands=commands,
    )


def _read_functions(rows: list[list[Any]], jobs: int) -> tuple[list[Share], list[Share]]:
    of_module: dict[str, list[float]] = {}
    functions = []
    for file, name, calls, own_s in rows:
        module = _module_of(file)
        total = of_module.setdefault(module if file != "~" else name, [0.0, 0.0])
        total[0] += own_s / jobs * 1e6
        total[1] += calls / jobs
        functions.append(Share(what=f"{module} {name}".strip(), us=own_s / jobs * 1e6, calls=calls / jobs))
    modules = [Share(what=what, us=us, calls=calls) for what, (us, calls) in of_module.items()]
    return sorted(modules, key=lambda share: -share.us)[:15], functions[:20]


def _module_of(file: str) -> str:
    if file == "~":
        # Built in.
        return ""
    parts = PurePath(file).parts
    return "/".join(parts[-2:])
