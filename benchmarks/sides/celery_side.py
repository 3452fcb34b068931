"""celery, pool solo, acks_late and reject_on_worker_lost, a prefetch of one; a killed worker's task comes back after
the visibility timeout."""

from __future__ import annotations

import celery
import side


class Celery(side.Side):
    def open(self):
        self.app = celery.Celery(side.NAME, broker=self.url)
        self.app.conf.update(
            task_acks_late=True,
            broker_transport_options={"visibility_timeout": self.lease_s} if self.lease_s else {},
            task_reject_on_worker_lost=True,
            worker_prefetch_multiplier=1,
            task_ignore_result=True,
            task_default_queue=side.NAME,
            broker_connection_retry_on_startup=True,
            worker_hijack_root_logger=False,
        )

        @self.app.task(name="run")
        def run(data):
            self.handle(data)

        self.task = run

    def enqueue(self, number, data):
        self.task.delay(data)

    def work(self):
        self.app.Worker(
            pool="solo",
            concurrency=1,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            loglevel="WARNING",
            quiet=True,
        ).start()


if __name__ == "__main__":
    side.main(Celery)
