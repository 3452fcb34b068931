-- The job is done. Settle it and fetch the next.
-- KEYS[1..6], ARGV[1..4] see shared/worker_args; KEYS[7], ARGV[5..8] see shared/settle_args; KEYS[8] completed (ZSET);
-- KEYS[9..] lanes, job
-- ARGV[9] anything where the delivery came with crashes, which are forgotten now; else absent
-- Constants, besides those of shared/worker_args: KEEP_COMPLETED, KEEP_COMPLETED_MS
-- Returns 1 settled · 0 this delivery settled it already · -1 the job was taken, -2 no such job, -3 this delivery settled
--   it in another way: nothing written; and what shared/fetch says
-- Replay: answers 0 and fetches likewise.
-- Events completed, and those of fetch
local ending = 'completed'
-- @include worker_args
-- @include settle_args
-- @include holder
local first_lane = 9
if code == HELD then
  redis.call('HSET', job, 'state', 'completed', 'finished_at_ms', now_ms)
  if args[9] then
    redis.call('HDEL', job, 'crashes')
  end
  redis.call('XACK', lane, 'workers', entry_id)
  redis.call('XDEL', lane, entry_id)
  redis.call('ZADD', keys[8], now_ms, job_id)
  told, finished, keep, keep_ms = 'completed', keys[8], KEEP_COMPLETED, KEEP_COMPLETED_MS
  if redis.call('HINCRBY', meta, 'completed_total', 1) % 64 == 0 then
    -- Not each time: the arguments that trim the stream cost a hundredth of the whole.
    details = {}
  end
end
-- @include fetch
