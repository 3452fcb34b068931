-- The handler ends because the job's cancelling was asked for, or cancels the job itself. Settle it and fetch the next.
-- KEYS[1..6], ARGV[1..4] see shared/worker_args; KEYS[7], ARGV[5..8] see shared/settle_args; KEYS[8] cancelled (ZSET);
-- KEYS[9..] lanes, job
-- ARGV[9] why, if nobody had asked   ARGV[10] the error that the handler ended with, or ''   ARGV[11] its class, or ''
-- ARGV[12], ARGV[13] for the history: class and text of the error, two JSON strings; the trace, a JSON string or ''
-- Constants, besides those of shared/worker_args: KEEP_CANCELLED, KEEP_CANCELLED_MS, KEEP_DELIVERIES
-- Returns 1 settled · 0 this delivery settled it already · -1 the job was taken, -2 no such job, -3 this delivery settled
--   it in another way: nothing written; and what shared/fetch says
-- Replay: answers 0 and fetches likewise.
-- Events cancelled, and those of fetch
local ending = 'cancelled'
-- @include worker_args
-- @include settle_args
-- @include holder
-- @include finish
-- @include history
local first_lane = 9
if code == HELD then
  local asked = redis.call('HMGET', job, 'cancel_by', 'cancel_reason')
  local by, reason = asked[1] or name, asked[2] or ARGV[9]
  told, details = 'cancelled', { 'by', by, 'reason', reason }
  if ARGV[10] == '' then
    finish_cancelled(job, job_id, lane, entry_id, KEYS[8], meta, true, 'cancel_by', by,
      'cancel_reason', reason, unpack(end_delivery(job, 'x', now_ms)))
  else
    finish_cancelled(job, job_id, lane, entry_id, KEYS[8], meta, true, 'cancel_by', by,
      'cancel_reason', reason, 'last_error', ARGV[10], 'error_class',
      ARGV[11], unpack(end_delivery(job, 'x', now_ms, ARGV[12], ARGV[13])))
    details[5], details[6] = 'error', ARGV[10]
  end
  finished, keep, keep_ms = KEYS[8], KEEP_CANCELLED, KEEP_CANCELLED_MS
end
-- @include fetch
