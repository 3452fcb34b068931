"""What the tests of relay and reconciler stand on: orders in any state, and jobs that really ran."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from typing import TYPE_CHECKING, Any

from rosq import Queue, RedisSettings, RetryPolicy, Worker, WorkerSettings
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rosq import Handler
    from tests.postgres import Database
    from tests.servers import RedisServer

GUIDS = "gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()"


@contextlib.contextmanager
def opened_queue(redis: RedisServer, name: str) -> Iterator[Queue]:
    """The queue as the service opens it, impatient enough for tests."""
    settings = RedisSettings(
        host=redis.host,
        port=redis.port,
        db=redis.db,
        password=redis.password,
        username=redis.username,
        connect_timeout_s=0.5,
        answer_timeout_s=1.0,
    )
    with Queue(settings, name) as queue:
        yield queue


def run_jobs(queue: Queue, handler: Handler, job_id: str, *, attempts: int = 1) -> None:
    """Let a real worker run jobs until this one is over."""
    worker = Worker(
        queue,
        handler,
        name="test-worker",
        lanes=("main", "urgent", "@a"),
        policy=RetryPolicy(max_attempts=attempts),
        settings=WorkerSettings(lease_s=2.0, grace_s=1.0, round_s=0.2),
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_until(lambda: (job := queue.find_job(job_id)) is not None and not job.is_live, f"job {job_id} to be over")
    finally:
        worker.request_stop()
        thread.join(10)
    assert not thread.is_alive()


def insert_order(database: Database, number: int = 1, **columns: Any) -> int:
    """An order as the given columns say, with the journal that its state needs.

    `account` names its account, `has_intent` binds it to that one; an `unconfirmed` order has an open send.
    """
    has_intent, username = columns.pop("has_intent", False), columns.pop("account", None)
    state = columns.get("state", "queued")
    columns = {"cad_num": f"77:01:0001001:{number}", **columns}
    if columns.get("fence"):
        columns.setdefault("fence_token", "t")
    if has_intent or state in ("unconfirmed", "registered", "completed"):
        columns |= {"bound_at": dt.datetime.now(dt.UTC), "person_oid": username}
    if state == "unconfirmed":
        columns["state"] = "processing"
    with database.connect() as connection, connection.transaction():
        if username is not None:
            connection.execute("insert into rosreestr_users (username) values (%s) on conflict do nothing", (username,))
            row = connection.execute("select id from rosreestr_users where username = %s", (username,)).fetchone()
            assert row is not None
            columns["rosreestr_user_id"] = row[0]
        names = ", ".join(columns)
        places = ", ".join(f"%({name})s" for name in columns)
        row = connection.execute(
            f"insert into orders ({names}) values ({places}) returning id".encode(), columns
        ).fetchone()
        assert row is not None
        if has_intent or state == "unconfirmed":
            connection.execute(
                "insert into submissions (order_id, rosreestr_user_id, super_package_guid, statement_guid, "
                "package_guid, draft_guid, person_oid, access_key, balance, portal_cad_num, known_application_ids) "
                f"values (%s, %s, {GUIDS}, %s, 'k', 1, '77:01:0001001:1', '{{}}')".encode(),
                (row[0], columns["rosreestr_user_id"], username),
            )
        if state == "unconfirmed":
            connection.execute(
                "with sent as (insert into sends (send_id, order_id, submission_id, person_oid, fence, fence_token, "
                "epoch, absent_after_s, balance) "
                "select gen_random_uuid(), order_id, id, person_oid, 1, 't', 1, 3600, 1 from submissions "
                "where order_id = %s returning order_id, send_id) "
                "update orders set state = 'unconfirmed', open_send_id = send_id from sent where id = order_id",
                (row[0],),
            )
    return int(row[0])


def read_order(database: Database, order_id: int) -> dict[str, Any]:
    """The order's row."""
    with database.connect() as connection:
        row = connection.execute("select to_jsonb(orders) from orders where id = %s", (order_id,)).fetchone()
    assert row is not None
    return dict(row[0])


def read_events(database: Database, order_id: int) -> list[tuple[str, str, str | None]]:
    """Who did what, and why."""
    with database.connect() as connection:
        rows = connection.execute(
            "select actor, kind, reason from order_events where order_id = %s order by id", (order_id,)
        ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def entries_read(database: Database, index: str) -> int:
    """How many entries of an index were read by sessions that are over."""
    with database.connect() as connection:
        # A session tells its counts when it ends, which may be after its client went.
        others = "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        wait_until(
            lambda: connection.execute(f"{others} and backend_type = 'client backend'".encode()).rowcount == 0,
            "the sessions to end",
        )
        row = connection.execute(
            "select idx_tup_read from pg_stat_user_indexes where indexrelname = %s", (index,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def change_orders(database: Database, assignments: str) -> None:
    """Change all orders, as time or somebody else would."""
    with database.connect() as connection:
        connection.execute(f"update orders set {assignments}".encode())
