-- The job's handler failed; it runs again after a pause, with one more attempt on the count. Settle it and fetch the
-- next.
-- KEYS[1..6], ARGV[1..4] see shared/worker_args; KEYS[7], ARGV[5..8] see shared/settle_args; KEYS[8..11], ARGV[9] see
-- shared/put_back; KEYS[12..] lanes, job
-- ARGV[10] pause, integer ms   ARGV[11] the error, one sentence   ARGV[12] its class, or ''
-- ARGV[13], ARGV[14] for the history: class and text of the error, two JSON strings; the trace, a JSON string or ''
-- Constants, besides those of shared/worker_args: KEEP_DELIVERIES
-- Returns 1 settled · 2 settled as cancelled, since that was asked for while it ran · 0 this delivery settled it already
--   · -1 the job was taken, -2 no such job, -3 this delivery settled it in another way: nothing written; and what
--   shared/fetch says
-- Replay: answers 0, or 2 where it answered that, or -1 if the job was delivered again since, and fetches likewise.
-- Events retried, cancelled, and those of fetch
local ending = 'retried'
-- @include put_back
-- @include holder
local first_lane = 12
if code == HELD then
  local attempt = (to_whole(redis.call('HGET', job, 'attempts')) or 0) + 1
  if not cancel_if_asked(ARGV[13], ARGV[14], 'attempts', attempt, 'last_error', ARGV[11], 'error_class', ARGV[12]) then
    local due_ms = put_back(tonumber(ARGV[10]), 'attempts', attempt, 'last_error', ARGV[11], 'error_class', ARGV[12],
      unpack(end_delivery(job, 'e', now_ms, ARGV[13], ARGV[14])))
    told, details = 'retried', { 'attempt', attempt, 'due_at_ms', due_ms, 'error', ARGV[11] }
  end
end
-- @include fetch
