-- The job failed for good. Settle it and fetch the next.
-- KEYS[1..6], ARGV[1..4] see shared/worker_args; KEYS[7], ARGV[5..8] see shared/settle_args; KEYS[8..] lanes, job
-- ARGV[9] the error, one sentence   ARGV[10] its class, or ''
-- ARGV[11], ARGV[12] for the history: class and text of the error, two JSON strings; the trace, a JSON string or ''
-- Constants, besides those of shared/worker_args: KEEP_FAILED, KEEP_FAILED_MS, KEEP_DELIVERIES
-- Returns 1 settled · 0 this delivery settled it already · -1 the job was taken, -2 no such job, -3 this delivery settled
--   it in another way: nothing written; and what shared/fetch says
-- Replay: answers 0 and fetches likewise.
-- Events failed, and those of fetch
local ending = 'failed'
-- @include worker_args
-- @include settle_args
-- @include holder
-- @include finish
-- @include history
local first_lane = 8
if code == HELD then
  local attempt = (to_whole(redis.call('HGET', job, 'attempts')) or 0) + 1
  finish(job, job_id, lane, entry_id, failed, 'failed', true, 'attempts', attempt, 'last_error', ARGV[9],
    'error_class', ARGV[10], unpack(end_delivery(job, 'f', now_ms, ARGV[11], ARGV[12])))
  redis.call('HINCRBY', meta, 'failed_total', 1)
  told, details = 'failed', { 'attempt', attempt, 'error', ARGV[9] }
  finished, keep, keep_ms = failed, KEEP_FAILED, KEEP_FAILED_MS
end
-- @include fetch
