-- The handler ends because the job's cancelling was asked for, or cancels the job itself. Settle it and fetch the next.
-- KEYS[1..6], ARGV[1..6] see _worker_args; KEYS[7..8], ARGV[7..10] see _settle_args; KEYS[9] cancelled (ZSET);
-- KEYS[10..] lanes
-- ARGV[11] why, if nobody had asked   ARGV[12] the error that the handler ended with, or ''   ARGV[13] its class, or ''
-- ARGV[14], ARGV[15] for the history: class and text of the error, two JSON strings; the trace, a JSON string or ''
-- Constants, besides those of _worker_args: KEEP_CANCELLED, KEEP_CANCELLED_MS, KEEP_DELIVERIES
-- Returns 1 settled · 0 this delivery settled it already · -1 lease lost, -2 no such job: nothing written; and what
--   _fetch says
-- Replay: answers 0 and fetches likewise.
-- Events cancelled, and those of fetch
-- @include _worker_args
-- @include _settle_args
-- @include _holder
-- @include _cancelled
-- @include _history
local first_lane = 10
if code == HELD then
  local asked = redis.call('HMGET', job, 'cancel_by', 'cancel_reason')
  local by, reason = asked[1] or name, asked[2] or ARGV[11]
  told, details = 'cancelled', { 'by', by, 'reason', reason }
  if ARGV[12] == '' then
    finish_cancelled(job, job_id, lane, entry_id, KEYS[9], meta, by, reason, unpack(end_delivery(job, 'x', now_ms)))
  else
    finish_cancelled(job, job_id, lane, entry_id, KEYS[9], meta, by, reason, 'last_error', ARGV[12], 'error_class',
      ARGV[13], unpack(end_delivery(job, 'x', now_ms, ARGV[14], ARGV[15])))
    details[5], details[6] = 'error', ARGV[12]
  end
  finished, keep, keep_ms = KEYS[9], KEEP_CANCELLED, KEEP_CANCELLED_MS
end
-- @include _fetch
