"""rosq as its users run it: `Queue.enqueue`, `Queue.enqueue_many`, `Worker.run` with the default settings."""

from __future__ import annotations

import side

import rosq


class Rosq(side.Side):
    def open(self) -> None:
        settings = rosq.RedisSettings(host=self.host, port=self.port, db=self.db, password=self.password)
        self.queue = rosq.Queue(settings, side.NAME)

    def enqueue(self, number, data):
        self.queue.enqueue(data, job_id=str(number))

    def enqueue_many(self, numbers, data):
        self.queue.enqueue_many(rosq.NewJob(job_id=str(number), data=data) for number in numbers)

    def enqueue_delayed(self, number, data, delay_s):
        self.queue.enqueue(data, job_id=str(number), delay_s=delay_s)

    def enqueue_many_delayed(self, numbers, data, delay_s):
        self.queue.enqueue_many(rosq.NewJob(job_id=str(number), data=data, delay_s=delay_s) for number in numbers)

    def work(self):
        settings = rosq.WorkerSettings(lease_s=self.lease_s) if self.lease_s else None
        rosq.Worker(
            self.queue, lambda delivery: self.handle(delivery.data), name=self.worker_name, settings=settings
        ).run()


if __name__ == "__main__":
    side.main(Rosq)
