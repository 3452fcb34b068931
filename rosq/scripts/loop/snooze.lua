-- What the job waits for isn't ready: it comes back later, no attempt spent. Settle it and fetch the next.
-- KEYS[1..6], ARGV[1..4] see shared/worker_args; KEYS[7], ARGV[5..8] see shared/settle_args; KEYS[8..11], ARGV[9] see
-- shared/put_back; KEYS[12..] lanes, job
-- ARGV[10] delay, integer ms
-- Constants, besides those of shared/worker_args: KEEP_DELIVERIES
-- Returns 1 settled · 2 settled as cancelled, since that was asked for while it ran · 0 this delivery settled it already
--   · -1 the job was taken, -2 no such job, -3 this delivery settled it in another way: nothing written; and what
--   shared/fetch says
-- Replay: answers 0, or 2 where it answered that, or -1 if the job was delivered again since, and fetches likewise.
-- Events snoozed, cancelled, and those of fetch
local ending = 'snoozed'
-- @include put_back
-- @include holder
local first_lane = 12
if code == HELD and not cancel_if_asked() then
  local due_ms = put_back(tonumber(ARGV[10]), unpack(end_delivery(job, 's', now_ms)))
  told, details = 'snoozed', { 'lane', ARGV[9], 'due_at_ms', due_ms }
end
-- @include fetch
