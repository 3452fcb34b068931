"""rosq as its users run it: `Queue.enqueue`, `Queue.enqueue_many`, `Worker.run` with the default settings."""

from __future__ import annotations

import side

import rosq

#: A worker reads so many of the lanes at once, from that of its next job on.
LANES_READ = 3


class Rosq(side.Side):
    def open(self) -> None:
        settings = rosq.RedisSettings(host=self.host, port=self.port, db=self.db, password=self.password)
        self.queue = rosq.Queue(settings, side.NAME)

    def enqueue(self, number, data):
        if self.lanes:
            self.queue.enqueue(data, job_id=str(number), lane=self.lane(number))
        else:
            self.queue.enqueue(data, job_id=str(number))

    def enqueue_many(self, numbers, data):
        if self.lanes:
            jobs = (rosq.NewJob(job_id=str(number), data=data, lane=self.lane(number)) for number in numbers)
        else:
            jobs = (rosq.NewJob(job_id=str(number), data=data) for number in numbers)
        self.queue.enqueue_many(jobs)

    def lane(self, number):
        return f"lane-{number % self.lanes}"

    def enqueue_delayed(self, number, data, delay_s):
        self.queue.enqueue(data, job_id=str(number), delay_s=delay_s)

    def enqueue_many_delayed(self, numbers, data, delay_s):
        self.queue.enqueue_many(rosq.NewJob(job_id=str(number), data=data, delay_s=delay_s) for number in numbers)

    def work(self):
        handler, options = (lambda delivery: self.handle(delivery.data)), {}
        if self.lease_s:
            options["settings"] = rosq.WorkerSettings(lease_s=self.lease_s)
        if self.lanes:
            handler, options["lanes"] = self.handle_next, self.list_lanes
        rosq.Worker(self.queue, handler, name=self.worker_name, **options).run()

    def handle_next(self, delivery):
        self.first += 1
        self.handle(delivery.data)

    def list_lanes(self):
        return [self.lane(self.first + ahead) for ahead in range(LANES_READ)]


if __name__ == "__main__":
    side.main(Rosq)
