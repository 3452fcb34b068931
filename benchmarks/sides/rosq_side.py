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
        self.queue.enqueue_many([rosq.NewJob(job_id=str(number), data=data) for number in numbers])

    def work(self):
        rosq.Worker(self.queue, lambda delivery: self.handle(), name="w1").run()


if __name__ == "__main__":
    side.main(Rosq)
