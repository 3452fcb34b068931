-- Give the caller its next job: its own pending one if there is one, else the next of its lanes.
-- KEYS[1..6], ARGV[1..4] see shared/worker_args; KEYS[7..] lanes
-- Returns 1 and what shared/fetch says.
-- Replay: whoever lost a reply names the lanes of that call among those that may hold its own pending job; then the job
--   of the lost reply comes again as a new delivery, never a second one. (Sent again letter by letter, it would hand out
--   a second job: `Consumer.exchange` never does that.)
-- Events started, crashed, failed, dropped
-- @include worker_args
-- @include time
local code, first_lane = 1, 7
local told, details, job, job_id, fence, finished, keep, keep_ms
-- @include fetch
