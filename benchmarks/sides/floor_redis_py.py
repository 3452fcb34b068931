"""The floor: the least that a job on a stream can cost a plain redis-py client. No leases, no ids, no recovery."""

from __future__ import annotations

import redis
import side
from floor import ANSWERED_NOTHING, GROUP, STEP, STREAM


class Floor(side.Side):
    def open(self) -> None:
        self.redis = redis.Redis(host=self.host, port=self.port, db=self.db, password=self.password)
        try:
            self.redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def enqueue(self, number, data):
        self.redis.xadd(STREAM, {"data": side.json.dumps(data)})

    def enqueue_many(self, numbers, data):
        for start in range(0, len(numbers), side.BATCH):
            pipeline = self.redis.pipeline(transaction=False)
            for _ in numbers[start : start + side.BATCH]:
                pipeline.xadd(STREAM, {"data": side.json.dumps(data)})
            pipeline.execute()

    def work(self):
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


if __name__ == "__main__":
    side.main(Floor)
