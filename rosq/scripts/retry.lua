-- The job's handler failed; it runs again after a pause, with one more attempt on the count. Settle it and fetch the
-- next.
-- KEYS[1..6], ARGV[1..6] see _worker_args; KEYS[7..8], ARGV[7..10] see _settle_args; KEYS[9..12], ARGV[11] see
-- _put_back; KEYS[13..] lanes
-- ARGV[12] pause, integer ms   ARGV[13] the error, one sentence   ARGV[14] its class, or ''
-- ARGV[15], ARGV[16] for the history: class and text of the error, two JSON strings; the trace, a JSON string or ''
-- Constants, besides those of _worker_args: KEEP_DELIVERIES
-- Returns 1 settled · 2 settled as cancelled, since that was asked for while it ran · 0 this delivery settled it already
--   · -1 lease lost, -2 no such job: nothing written; and what _fetch says
-- Replay: answers 0, or -1 if the job was delivered again since, and fetches likewise.
-- Events retried, cancelled, and those of fetch
-- @include _put_back
-- @include _holder
local first_lane = 13
if code == HELD then
  local attempt = (redis.call('HGET', job, 'attempts') or 0) + 1
  if not cancel_if_asked(ARGV[15], ARGV[16], 'attempts', attempt, 'last_error', ARGV[13], 'error_class', ARGV[14]) then
    local due_ms = put_back(tonumber(ARGV[12]), 'attempts', attempt, 'last_error', ARGV[13], 'error_class', ARGV[14],
      unpack(end_delivery(job, 'e', now_ms, ARGV[15], ARGV[16])))
    told, details = 'retried', { 'attempt', attempt, 'due_at_ms', due_ms, 'error', ARGV[13] }
  end
end
-- @include _fetch
