"""Brings the whole system up: servers, schema, simulator, service, accounts, workers, each really ready when needed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import urllib.error
from pathlib import Path
from typing import TYPE_CHECKING

from orders_service import crypto
from orders_service.channel.settings import TOKEN_ENV
from orders_service.dev import client, database, errors, tokens
from orders_service.dev.children import MARKER_ENV, Child, Program, Rank
from orders_service.dev.folder import write_private
from orders_service.dev.postgres import EmbeddedPostgres
from orders_service.dev.valkey import EmbeddedValkey, is_answering
from orders_service.settings import DEFAULT_PORT, DEFAULT_QUEUE, DEFAULT_REST_PORT, DatabaseSettings
from orders_service.store import migrations
from rosq.service_links import find_service_link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orders_service.dev.folder import StateFolder
    from orders_service.dev.supervisor import Supervisor

#: «Правообладатель или его законный представитель». For the simulator's made-up people; a real account's category is a
#: statement to the state, which its operator makes.
DECLARANT_CATEGORY = "357039000000"

#: On servers of the user's own, where the ordinary names may belong to the real thing.
OWN_SERVER_DATABASE = "rosreestr_extracts_dev"
OWN_SERVER_QUEUE = "order-processing-dev"

#: How long a worker that is told to stop goes on with the order in hand before it puts it down.
WORKER_GRACE_S = 10

# What steers programs of ours: given by the stack, not taken over from whoever started it.
_STEERING = ("DB_", "REDIS_", "ROSREESTR_", "ORDERS_SERVICE_", "ROSQ_", "ORDER_", "RELAY_", "RECONCILE_")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to bring up.

    Attributes:
        workers: How many accounts, each with a worker.
        pace: Variables for service and workers that set how fast they are.
        simulator_options: More options of the simulator.
    """

    workers: int
    pace: Mapping[str, str]
    simulator_options: tuple[str, ...] = ()


class Stack:
    """The running system. Everything it starts belongs to the supervisor, which ends it.

    Args:
        folder: Held by the caller, who has ended the leftovers of earlier runs.
        environ: What this process was given: `DB_*` and `REDIS_*` in it name servers to use instead of embedded ones.
        note: Told each step in a few words.
    """

    def __init__(
        self,
        plan: Plan,
        folder: StateFolder,
        supervisor: Supervisor,
        environ: Mapping[str, str],
        note: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._supervisor = supervisor
        # What Kubernetes set is no server that anybody named.
        self._environ = {
            name: value for name, value in environ.items() if not (name.endswith("_PORT") and find_service_link(value))
        }
        self._note = note
        self._env: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        #: Where the service answers by REST.
        self.rest_address = ""
        #: The last started worker of each account.
        self.workers: dict[str, Child] = {}
        self.usernames = [f"rosreestr_user_{number}" for number in range(1, plan.workers + 1)]

    @property
    def token(self) -> str | None:
        """The operator's access token; None: the service asks nobody."""
        return self._env.get(TOKEN_ENV)

    @property
    def service_address(self) -> str:
        """Where clients find the service."""
        return f"{self._env['ORDERS_SERVICE_HOST']}:{self._env['ORDERS_SERVICE_PORT']}"

    @property
    def portal_url(self) -> str:
        """Where the simulator is."""
        return self._env["ROSREESTR_PORTAL_URL"]

    @property
    def database_address(self) -> str:
        """Where the database is, in words."""
        return f"database {self._env['DB_NAME']}, host {self._env['DB_HOST']}, port {self._env['DB_PORT']}"

    @property
    def redis_address(self) -> str:
        """Where the queue's server is, in words."""
        return f"{self._env['REDIS_HOST']}:{self._env['REDIS_PORT']}, queue {self._env['ROSQ_QUEUE']}"

    def bring_up(self) -> None:
        """Start everything; returns when each part is ready for its work.

        Raises:
            DevError: One can't be started; says which.
            StopRequested: A signal asked to stop meanwhile.
        """
        self._env = {
            crypto.SECRET_ENV: self._environ.get(crypto.SECRET_ENV) or self._folder.secret("crypto-secret"),
            # What runs here is for trying out: a weak secret of the user's own will do.
            crypto.DEV_ENV: "1",
            **_without_proxy(self._environ),
            "ROSQ_QUEUE": self._environ.get("ROSQ_QUEUE")
            or (OWN_SERVER_QUEUE if self._has_own("REDIS") else DEFAULT_QUEUE),
        }
        simulator = self._start_simulator()  # takes a while and needs nobody: it comes up beside the servers
        postgres = None if self._has_own("DB") else self._start_postgres()
        valkey = None if self._has_own("REDIS") else self._start_valkey()
        self._wait_for_postgres(postgres)
        self._prepare_database()
        self._make_tokens()
        self._wait_for_valkey(valkey)
        self._supervisor.wait_ready(simulator, self._is_simulator_ready)
        self._start_service()
        self._start_workers()
        self._folder.write_env(self._env, Path(sys.executable).parent)

    def start_worker(self, username: str) -> Child:
        """Start the worker of an account; returns at once."""
        self.workers[username] = worker = self._start(
            f"worker-{username}",
            Rank.WORKER,
            "worker.cli",
            "--account",
            username,
            "--lock-dir",
            str(self._folder.subfolder("locks")),
            grace_s=WORKER_GRACE_S + 5,
            token=self._tokens.get(username),
        )
        return worker

    # Servers

    def _has_own(self, prefix: str) -> bool:
        """Whether the environment names a server of the user's own."""
        return bool(self._environ.get(f"{prefix}_HOST") or self._environ.get(f"{prefix}_PORT"))

    def _start_postgres(self) -> tuple[EmbeddedPostgres, Child]:
        self._note("PostgreSQL (embedded)")
        server = EmbeddedPostgres(
            self._folder.path / "postgres",
            run_dir=self._folder.run_dir,
            log_path=self._folder.log_path("postgresql"),
            marker=self._folder.path,
        )
        server.ensure_cluster()
        return server, self._supervisor.adopt(server.start())

    def _wait_for_postgres(self, started: tuple[EmbeddedPostgres, Child] | None) -> None:
        if started is None:
            settings = DatabaseSettings.from_env({"DB_NAME": OWN_SERVER_DATABASE, **self._environ})
            self._env |= {
                "DB_HOST": settings.host,
                "DB_PORT": str(settings.port),
                "DB_USERNAME": settings.username,
                "DB_PASSWORD": settings.password or "",
                "DB_NAME": settings.name,
            }
            return
        server, child = started
        self._supervisor.wait_ready(child, server.is_ready)
        self._env |= {**server.env, "DB_NAME": self._environ.get("DB_NAME") or DatabaseSettings().name}

    def _prepare_database(self) -> None:
        self._note("schema")
        settings = DatabaseSettings.from_env(self._env)
        asyncio.run(database.prepare(settings, migrations.find_folder(self._environ)))
        self._supervisor.check()

    def _make_tokens(self) -> None:
        self._tokens = asyncio.run(tokens.make_tokens(DatabaseSettings.from_env(self._env), self.usernames))
        if self._tokens:
            # For people, in the file that a shell sources; workers have their own.
            self._env[TOKEN_ENV] = self._tokens[tokens.OPERATOR]

    def _start_valkey(self) -> tuple[EmbeddedValkey, Child]:
        self._note("Valkey (embedded)")
        server = EmbeddedValkey(
            self._folder.path / "valkey",
            port=self._folder.port("valkey"),
            password=self._folder.secret("redis-password"),
            run_dir=self._folder.run_dir,
            log_path=self._folder.log_path("valkey"),
            marker=self._folder.path,
        )
        return server, self._supervisor.adopt(server.start())

    def _wait_for_valkey(self, started: tuple[EmbeddedValkey, Child] | None) -> None:
        if started is not None:
            server, child = started
            self._supervisor.wait_ready(child, server.is_ready)
            self._env |= server.env
            return
        host, port = self._environ.get("REDIS_HOST") or "127.0.0.1", int(self._environ.get("REDIS_PORT") or 6379)
        password, db = self._environ.get("REDIS_PASSWORD") or "", int(self._environ.get("REDIS_DB") or 0)
        if not is_answering(host, port, password or None, db):
            raise errors.ServerAway(
                f"Redis at {host}:{port} doesn't answer: start it, or unset REDIS_HOST and REDIS_PORT."
            )
        self._env |= {"REDIS_HOST": host, "REDIS_PORT": str(port), "REDIS_PASSWORD": password, "REDIS_DB": str(db)}

    # Our own parts

    def _start_simulator(self) -> Child:
        self._note("portal (simulated)")
        home = self._folder.subfolder("simulator")
        accounts = [{"username": name, "password": self._portal_password(name)} for name in self.usernames]
        write_private(home / "accounts.json", json.dumps(accounts, indent=2) + "\n")
        port = self._folder.port("simulator")
        self._env["ROSREESTR_PORTAL_URL"] = f"http://127.0.0.1:{port}"
        return self._start(
            "simulator",
            Rank.SIMULATOR,
            "worker.simulator.cli",
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--accounts", str(home / "accounts.json"), "--state", str(home / "ledger.jsonl")),
            *self._plan.simulator_options,
        )

    def _is_simulator_ready(self) -> bool:
        try:
            client.read_json(f"{self.portal_url}/_simulator/health")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def _start_service(self) -> None:
        self._note("orders service")
        port = self._folder.port("service", preferred=DEFAULT_PORT)
        self.rest_address = f"127.0.0.1:{self._folder.port('rest', preferred=DEFAULT_REST_PORT)}"
        self._env |= {"ORDERS_SERVICE_HOST": "127.0.0.1", "ORDERS_SERVICE_PORT": str(port)}
        service = self._start(
            "orders-service",
            Rank.SERVICE,
            "orders_service.cli",
            "serve",
            *("--listen", self.service_address, "--rest-listen", self.rest_address),
        )
        with client.Client(self.service_address, self.token) as orders:
            self._supervisor.wait_ready(service, orders.is_serving)
            for name in self.usernames:
                with self._supervisor.children_in_error():
                    orders.ensure_account(name, self._portal_password(name), DECLARANT_CATEGORY, "of the simulator")

    def _start_workers(self) -> None:
        self._note("workers")
        with client.Client(self.service_address, self.token) as orders, self._supervisor.children_in_error():
            before = {name: orders.epoch(name) for name in self.usernames}
            workers = {name: self.start_worker(name) for name in self.usernames}
            for name, worker in workers.items():
                # The account is opened with the queue's lock in hand, right before the first look for work.
                self._supervisor.wait_ready(worker, lambda name=name: orders.epoch(name) > before[name])  # type: ignore[misc]

    def _portal_password(self, username: str) -> str:
        return self._folder.secret(f"portal-password-{username}")

    def _start(
        self, name: str, rank: Rank, module: str, *arguments: str, grace_s: float = 10.0, token: str | None = None
    ) -> Child:
        env = {key: value for key, value in self._environ.items() if not key.startswith(_STEERING)}
        # A worker knows no database.
        ours = {key: value for key, value in self._env.items() if rank is Rank.SERVICE or not key.startswith("DB_")}
        ours.pop(TOKEN_ENV, None)
        if token is not None:
            ours[TOKEN_ENV] = token
        return self._supervisor.start(
            Program(
                name=name,
                argv=(sys.executable, "-m", module, *arguments),
                env={
                    **env,
                    "ROSQ_GRACE_S": str(WORKER_GRACE_S),
                    **self._plan.pace,
                    **ours,
                    "PYTHONUNBUFFERED": "1",
                    MARKER_ENV: str(self._folder.path),
                },
                log_path=self._folder.log_path(name),
                run_dir=self._folder.run_dir,
                rank=rank,
                grace_s=grace_s,
            )
        )


def _without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables by which nothing on this machine is looked for through a proxy that the environment may name."""
    given = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    value = ",".join(part for part in (given, "127.0.0.1", "localhost") if part)
    return {"no_proxy": value, "NO_PROXY": value}
