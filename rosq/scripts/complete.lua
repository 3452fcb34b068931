-- The job is done. Settle it and fetch the next.
-- KEYS[1..7], ARGV[1..14] see _worker_args; KEYS[8..9], ARGV[15..18] see _settle_args; KEYS[10..] lanes and bells
-- Returns 1 settled · 0 this delivery settled it already · -1 lease lost, -2 no such job: nothing written; and what
--   _fetch says
-- Replay: answers 0 and fetches likewise.
-- Events completed, and those of fetch
-- @include _worker_args
-- @include _settle_args
-- @include _holder
-- @include _finish
-- @include _fetch
-- @include _trim
local code, _, data = check_holder(job, fence, token)
if code == HELD then
  local carried = not data and data_of_entry(lane, entry_id) or nil
  finish(job, job_id, lane, entry_id, completed, 'completed', carried, now_ms)
  redis.call('HINCRBY', meta, 'completed_total', 1)
  record(events, max_events, 'completed', 'job_id', job_id, 'worker', name, 'fence', fence)
end
local result = fetch(code, 10)
if code == HELD then
  trim(completed, tonumber(ARGV[8]), tonumber(ARGV[9]))
end
return result
