"""Who takes part, and how each is had."""

from __future__ import annotations

import dataclasses
import enum


class Runtime(enum.Enum):
    """What a contender runs in."""

    #: The Python that runs the benchmark: rosq and the floors.
    OWN = "own"
    #: A virtual environment of the contender's own.
    VENV = "venv"
    NODE = "node"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to have a job done."""

    name: str
    runtime: Runtime
    #: The file in `benchmarks/sides`.
    file: str
    #: What is installed for it: exact versions, so that a run can be repeated.
    packages: tuple[str, ...] = ()
    has_bulk: bool = True
    #: Of the jobs of a round, the part that this one gets, so that the slow ones don't take all the time.
    share: float = 1.0
    #: Jobs that run before anything is measured: scripts are known then, code is compiled, and where finished jobs are
    #: kept up to a number, each further one pushes another out.
    warm_up: int = 100
    #: Takes part in every round; the others in the first few.
    is_core: bool = False
    #: Can be given a job for later that a sleeping worker starts.
    has_delay: bool = False
    #: Looks for jobs about once a second and starts one or a few: it would never be idle otherwise.
    is_polling: bool = False
    #: Can be asked for many workers in one process.
    has_crowd: bool = False
    #: Has queues within a queue.
    has_lanes: bool = False
    #: What it is set to so that a killed worker's job comes back soon; empty where it doesn't come back.
    recovery: str = ""
    #: Keeps a job whose worker is killed, and holds no more than one.
    is_safe: bool = False
    note: str = ""


#: Seconds without a sign of life after which a job is to come back, where that can be set.
LEASE_S = 5

FLOOR = "floor: redis-py"
FLOOR_SOCKET = "floor: socket"
ROSQ = "rosq"
BULL = "Bull, Node"

#: In the order in which they are shown. The floor comes first: all ratios are to it.
CONTENDERS = (
    Contender(
        name=FLOOR,
        runtime=Runtime.OWN,
        file="floor_redis_py.py",
        warm_up=1200,
        is_core=True,
        has_crowd=True,
        has_lanes=True,
        note="XADD; one EVALSHA [XACK XDEL XREADGROUP] a job",
    ),
    Contender(
        name=FLOOR_SOCKET,
        runtime=Runtime.OWN,
        file="floor_socket.py",
        warm_up=1200,
        is_core=True,
        note="the same without a client library",
    ),
    Contender(
        name=ROSQ,
        runtime=Runtime.OWN,
        file="rosq_side.py",
        is_safe=True,
        warm_up=1200,
        is_core=True,
        has_delay=True,
        has_crowd=True,
        has_lanes=True,
        recovery="lease_s 5 (default 30)",
        note="default settings",
    ),
    Contender(
        name=BULL,
        runtime=Runtime.NODE,
        file="node_side.js",
        packages=("bull@4.16.5",),
        is_safe=True,
        warm_up=1200,
        is_core=True,
        has_delay=True,
        has_crowd=True,
        recovery="lockDuration and stalledInterval 5 s (default 30)",
        note="removeOnComplete 1000",
    ),
    Contender(
        name="BullMQ, Node",
        runtime=Runtime.NODE,
        file="node_side.js",
        packages=("bullmq@6.7.0",),
        is_safe=True,
        warm_up=1200,
        has_delay=True,
        has_crowd=True,
        recovery="lockDuration and stalledInterval 5 s (default 30)",
        note="removeOnComplete 1000",
    ),
    Contender(
        name="BullMQ, Python",
        runtime=Runtime.VENV,
        file="bullmq_side.py",
        packages=("bullmq==3.4.4",),
        share=0.5,
        is_safe=True,
        warm_up=1200,
        has_delay=True,
        recovery="lockDuration and stalledInterval 5 s (default 30)",
        note="removeOnComplete 1000",
    ),
    Contender(
        name="potatoq",
        runtime=Runtime.VENV,
        file="potatoq_side.py",
        packages=("potatoq[redis]==26.1a8", "hiredis"),
        share=0.5,
        is_safe=True,
        has_delay=True,
        recovery="worker_dead_after 5 s (default 60), as many heartbeats in it",
        note="one process, not recycled; client µs without its supervisor",
    ),
    Contender(
        name="streaq",
        runtime=Runtime.VENV,
        file="streaq_side.py",
        packages=("streaq==7.2.0",),
        share=0.25,
        has_delay=True,
        recovery="idle_timeout 5 s (default 60)",
        note="holds two; claimed after idle_timeout",
    ),
    Contender(
        name="taskiq-redis",
        runtime=Runtime.VENV,
        file="taskiq_side.py",
        packages=("taskiq-redis==1.2.4",),
        has_bulk=False,
        share=0.25,
        is_safe=True,
        recovery="idle_timeout 5 s (default 600)",
        note="stream, COUNT 1, acknowledged when executed",
    ),
    Contender(
        name="saq",
        runtime=Runtime.VENV,
        file="saq_side.py",
        packages=("saq[redis]==0.26.4", "typing_extensions"),
        has_bulk=False,
        share=0.25,
        has_delay=True,
        recovery="sweep each 5 s (default 60), job timeout 10 s (default)",
        note="a killed worker's job is aborted by a sweep",
    ),
    Contender(
        name="rq",
        runtime=Runtime.VENV,
        file="rq_side.py",
        packages=("rq==3.0.0", "hiredis"),
        share=0.25,
        note="SimpleWorker, no fork; a killed worker's job fails",
    ),
    Contender(
        name="arq",
        runtime=Runtime.VENV,
        file="arq_side.py",
        packages=("arq==0.28.0",),
        has_bulk=False,
        share=0.01,
        warm_up=5,
        is_safe=True,
        has_delay=True,
        is_polling=True,
        recovery="job_timeout 5 s (default 300), and 10 s more",
        note="max_jobs 1; polls each 0.5 s",
    ),
    Contender(
        name="dramatiq",
        runtime=Runtime.VENV,
        file="dramatiq_side.py",
        packages=("dramatiq[redis]==2.2.1", "hiredis"),
        has_bulk=False,
        share=0.25,
        recovery="heartbeat_timeout 5 s (default 60)",
        note="one thread, prefetch 1; polls",
    ),
    Contender(
        name="celery",
        runtime=Runtime.VENV,
        file="celery_side.py",
        packages=("celery[redis]==5.7.0", "hiredis"),
        has_bulk=False,
        share=0.25,
        is_safe=True,
        recovery="visibility_timeout 5 s (default 3600)",
        note="solo, acks_late, prefetch 1; back after the visibility timeout",
    ),
    Contender(
        name="huey",
        runtime=Runtime.VENV,
        file="huey_side.py",
        packages=("huey==3.5.4", "redis", "hiredis"),
        has_bulk=False,
        share=0.5,
        has_delay=True,
        is_polling=True,
        warm_up=1200,
        note="one thread; a killed worker's job is lost",
    ),
)
