-- Someone else, or another lane, should take the job: back into the lane at once, no attempt spent. Fetch the next.
-- KEYS[1..7], ARGV[1..14] see _worker_args; KEYS[8..9], ARGV[15..18] see _settle_args; KEYS[10..12] see _put_back;
-- KEYS[13..] lanes and bells
-- ARGV[19] the lane's name
-- Returns 1 settled · 0 this delivery settled it already · -1 lease lost, -2 no such job: nothing written; and what
--   _fetch says
-- Replay: answers 0, or -1 if the job was delivered again since, and fetches likewise.
-- Events released, and those of fetch
-- @include _put_back
-- @include _holder
-- @include _fetch
local code, _, data = check_holder(job, fence, token)
if code == HELD then
  put_back(ARGV[19], 0, data)
  record(events, max_events, 'released', 'job_id', job_id, 'worker', name, 'fence', fence, 'lane', ARGV[19])
end
return fetch(code, 13)
