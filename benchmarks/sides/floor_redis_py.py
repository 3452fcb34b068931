"""The floor: the least that a job on a stream can cost a plain redis-py client. No leases, no ids, no recovery."""

from __future__ import annotations

import itertools

import redis
import side
from floor import ANSWERED_NOTHING, GROUP, STEP, STEP_ON, STREAM


class Floor(side.Side):
    def open(self) -> None:
        self.redis = redis.Redis(host=self.host, port=self.port, db=self.db, password=self.password)
        pipeline = self.redis.pipeline(transaction=False)
        for stream in self.list_streams(range(self.lanes or 1)):
            pipeline.xgroup_create(stream, GROUP, "0", mkstream=True)
        for error in pipeline.execute(raise_on_error=False):
            if isinstance(error, Exception) and "BUSYGROUP" not in str(error):
                raise error

    def list_streams(self, numbers):
        """The stream of each job."""
        return [f"{STREAM}-{number % self.lanes}" for number in numbers] if self.lanes else [STREAM] * len(numbers)

    def enqueue(self, number, data):
        stream = f"{STREAM}-{number % self.lanes}" if self.lanes else STREAM
        self.redis.xadd(stream, {"data": side.json.dumps(data)})

    def enqueue_many(self, numbers, data):
        for start in range(0, len(numbers), side.BATCH):
            pipeline = self.redis.pipeline(transaction=False)
            for stream in self.list_streams(numbers[start : start + side.BATCH]):
                pipeline.xadd(stream, {"data": side.json.dumps(data)})
            pipeline.execute()

    def work(self):
        if self.lanes:
            self.work_on_lanes()
        sha, done = self.redis.script_load(STEP), ANSWERED_NOTHING
        while True:
            entry = self.redis.evalsha(sha, 1, STREAM, GROUP, self.worker_name, done)
            if entry is None:
                answer = self.redis.xreadgroup(GROUP, self.worker_name, {STREAM: ">"}, count=1, block=2000)
                if not answer:
                    done = ANSWERED_NOTHING
                    continue
                entries = answer[STREAM.encode()][0] if isinstance(answer, dict) else answer[0][1]
                entry = entries[0]
            done = entry[0]
            self.handle(side.json.loads(entry[1][1] if isinstance(entry[1], list) else entry[1][b"data"]))

    def work_on_lanes(self):
        """From lane to lane, a job of each: it never waits, since it is asked for no more than there are."""
        streams = itertools.cycle(self.list_streams(range(self.first, self.first + self.lanes)))
        sha, done, last = self.redis.script_load(STEP_ON), ANSWERED_NOTHING, STREAM
        for stream in streams:
            entry = self.redis.evalsha(sha, 2, last, stream, GROUP, self.worker_name, done)
            done, last = entry[0], stream
            self.handle(side.json.loads(entry[1][1]))


if __name__ == "__main__":
    side.main(Floor)
