-- The job's handler failed; it runs again after a pause, with one more attempt on the count. Settle it and fetch the
-- next.
-- KEYS[1..7], ARGV[1..14] see _worker_args; KEYS[8..9], ARGV[15..18] see _settle_args; KEYS[10..12] see _put_back;
-- KEYS[13..] lanes and bells
-- ARGV[19] the lane's name   ARGV[20] pause, integer ms   ARGV[21] the error, one sentence
-- Returns 1 settled · 0 this delivery settled it already · -1 lease lost, -2 no such job: nothing written; and what
--   _fetch says
-- Replay: answers 0, or -1 if the job was delivered again since, and fetches likewise.
-- Events retried, and those of fetch
-- @include _put_back
-- @include _holder
-- @include _fetch
local code, attempts, data = check_holder(job, fence, token)
if code == HELD then
  local due_ms = put_back(ARGV[19], tonumber(ARGV[20]), data, 'attempts', attempts + 1, 'last_error', ARGV[21])
  record(events, max_events, 'retried', 'job_id', job_id, 'worker', name, 'fence', fence, 'attempt', attempts + 1,
    'due_at_ms', due_ms, 'error', ARGV[21])
end
return fetch(code, 13)
