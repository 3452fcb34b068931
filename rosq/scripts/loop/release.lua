-- Someone else, or another lane, should take the job: back into the lane at once, no attempt spent. Fetch the next.
-- KEYS[1..6], ARGV[1..4] see shared/worker_args; KEYS[7], ARGV[5..8] see shared/settle_args; KEYS[8..11], ARGV[9] see
-- shared/put_back; KEYS[12..] lanes, job
-- Constants, besides those of shared/worker_args: KEEP_DELIVERIES
-- Returns 1 settled · 2 settled as cancelled, since that was asked for while it ran · 0 this delivery settled it already
--   · -1 the job was taken, -2 no such job, -3 this delivery settled it in another way: nothing written; and what
--   shared/fetch says
-- Replay: answers 0, or 2 where it answered that, or -1 if the job was delivered again since, and fetches likewise.
-- Events released, cancelled, and those of fetch
local ending = 'released'
-- @include put_back
-- @include holder
local first_lane = 12
if code == HELD and not cancel_if_asked() then
  put_back(0, unpack(end_delivery(job, 'r', now_ms)))
  told, details = 'released', { 'lane', ARGV[9] }
end
-- @include fetch
