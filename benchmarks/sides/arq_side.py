"""arq, max_jobs 1, the default poll_delay of 0.5 s; a killed worker's job runs again when its mark expires."""

from __future__ import annotations

import arq
import side
from arq.connections import RedisSettings
from arq.worker import func


class Arq(side.Side):
    async def open(self):
        self.settings = RedisSettings(host=self.host, port=self.port, database=self.db, password=self.password)
        self.pool = await arq.create_pool(self.settings)

    async def enqueue(self, number, data):
        await self.pool.enqueue_job("run", data)

    async def enqueue_delayed(self, number, data, delay_s):
        await self.pool.enqueue_job("run", data, _defer_by=delay_s)

    async def work(self):
        async def run(context, data):
            self.handle(data)

        worker = arq.Worker(
            [func(run, name="run")],
            redis_settings=self.settings,
            max_jobs=1,
            keep_result=0,
            handle_signals=False,
            job_timeout=self.lease_s or 300,
        )
        await worker.async_run()


if __name__ == "__main__":
    side.main(Arq)
