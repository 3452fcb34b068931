-- The job failed for good. Settle it and fetch the next.
-- KEYS[1..7], ARGV[1..14] see _worker_args; KEYS[8..9], ARGV[15..18] see _settle_args; KEYS[10..] lanes and bells
-- ARGV[19] the error, one sentence
-- Returns 1 settled · 0 this delivery settled it already · -1 lease lost, -2 no such job: nothing written; and what
--   _fetch says
-- Replay: answers 0 and fetches likewise.
-- Events failed, and those of fetch
-- @include _worker_args
-- @include _settle_args
-- @include _holder
-- @include _finish
-- @include _fetch
-- @include _trim
local code, attempts, data = check_holder(job, fence, token)
if code == HELD then
  local carried = not data and data_of_entry(lane, entry_id) or nil
  finish(job, job_id, lane, entry_id, failed, 'failed', carried, now_ms, 'attempts', attempts + 1,
    'last_error', ARGV[19])
  redis.call('HINCRBY', meta, 'failed_total', 1)
  record(events, max_events, 'failed', 'job_id', job_id, 'worker', name, 'fence', fence, 'attempt', attempts + 1,
    'error', ARGV[19])
end
local result = fetch(code, 10)
if code == HELD then
  trim(failed, tonumber(ARGV[10]), tonumber(ARGV[11]))
end
return result
