-- @include _time
-- @include _event
-- @include _finish

-- Fail a job that was taken too often from a holder that didn't settle it.
local function fail_crashed(job, job_id, lane, entry_id, failed, meta, events, max_events, data, crashes)
  local reason = 'Its holder died or hung ' .. crashes .. ' times in a row; it is not tried again.'
  finish(job, job_id, lane, entry_id, failed, 'failed', data, now_ms, 'last_error', reason)
  redis.call('HSET', job, 'crashes', crashes)
  redis.call('HINCRBY', meta, 'failed_total', 1)
  record(events, max_events, 'failed', 'job_id', job_id, 'crashes', crashes, 'error', reason)
end
