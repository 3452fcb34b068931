-- @include time
-- @include event
-- @include finish
-- @include history

-- Fail a job that was taken too often from a holder that didn't settle it; the count stays for people to see.
local function fail_crashed(job, job_id, lane, entry_id, failed, meta, events, max_events, crashes)
  local reason = 'Its holder died or hung ' .. crashes .. ' times in a row; it is not tried again.'
  finish(job, job_id, lane, entry_id, failed, 'failed', false, 'last_error', reason, 'error_class', '', 'crashes',
    crashes, unpack(end_delivery(job, 'c', now_ms)))
  -- Without the token, a holder that wakes up later is told that it lost the job, not that it had settled it.
  redis.call('HDEL', job, 'token')
  redis.call('HINCRBY', meta, 'failed_total', 1)
  record(events, max_events, 'failed', 'job_id', job_id, 'crashes', crashes, 'error', reason)
end
