"""potatoq, one process without recycling, everything else as it is by default: acknowledged when executed, leases that
its supervisor renews; jobs of a killed worker come back when their lease has run out.

Its worker is a supervisor that forks the process in which tasks run, so the benchmark's lines are passed on to that.
"""

from __future__ import annotations

import json
import os

import potatoq
import side
from potatoq import signals


class Potatoq(side.Side):
    def open(self):
        self.app = potatoq.Potatoq(side.NAME, broker=self.url)
        if self.lease_s:
            # As many heartbeats a lease as by default.
            self.app.conf.update(worker_dead_after=self.lease_s, worker_heartbeat_interval=self.lease_s / 12)

        @self.app.task(name="run")
        def run(data):
            self.handle(data)

        self.task = run

    def enqueue(self, number, data):
        self.task.delay(data)

    def enqueue_many(self, numbers, data):
        for start in range(0, len(numbers), side.BATCH):
            potatoq.group(self.task.s(data) for _ in numbers[start : start + side.BATCH]).delay()

    def enqueue_delayed(self, number, data, delay_s):
        self.task.apply_async((data,), countdown=delay_s)

    def enqueue_many_delayed(self, numbers, data, delay_s):
        for start in range(0, len(numbers), side.BATCH):
            group = potatoq.group(self.task.s(data) for _ in numbers[start : start + side.BATCH])
            group.apply_async(countdown=delay_s)

    def work(self):
        reading, writing = os.pipe()

        @signals.worker_process_init.connect
        def listen(**_):
            # So that it ends with its supervisor.
            os.close(writing)
            self.commands.read_from(os.fdopen(reading))

        side.threading.Thread(target=self.pass_on, args=(self.commands, writing), daemon=True).start()
        self.app.Worker(concurrency=1, hostname=self.worker_name, loglevel="WARNING", max_tasks_per_child=None).start()

    def pass_on(self, commands, writing):
        while True:
            os.write(writing, (json.dumps(commands.next()) + "\n").encode())


if __name__ == "__main__":
    side.main(Potatoq)
