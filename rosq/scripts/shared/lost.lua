-- @include time
-- @include event
-- @include finish
-- @include history

-- What becomes of an active job that its holder lost.

-- End an active job that its holder lost, if its cancelling was asked for while it ran: true if it was.
local function cancel_lost(job, job_id, lane, entry_id, cancelled, meta, events, max_events)
  local asked = redis.call('HMGET', job, 'cancel_by', 'cancel_reason', 'worker')
  if not asked[1] then
    return false
  end
  finish_cancelled(job, job_id, lane, entry_id, cancelled, meta, false, unpack(end_delivery(job, 'x', now_ms)))
  disown(job)
  record(events, max_events, 'cancelled', 'job_id', job_id, 'was', 'active', 'worker', asked[3] or '', 'by', asked[1],
    'reason', asked[2] or '')
  return true
end

-- Note in an active job's hash and history that its holder didn't settle it, so often in a row.
local function note_crash(job, crashes)
  redis.call('HSET', job, 'crashes', crashes, unpack(end_delivery(job, 'c', now_ms)))
end

-- Count a crash more of an active job that its holder lost. Returns the count; nil where that is once too often, and the
-- job has failed: the count stays for people to see.
-- crashes: the count so far
local function count_crash(job, job_id, lane, entry_id, crashes, max_crashes, failed, meta, events, max_events)
  crashes = crashes + 1
  if crashes < max_crashes then
    note_crash(job, crashes)
    return crashes
  end
  local reason = 'Its holder died or hung ' .. crashes .. ' times in a row; it is not tried again.'
  finish(job, job_id, lane, entry_id, failed, 'failed', false, 'last_error', reason, 'error_class', '', 'crashes',
    crashes, unpack(end_delivery(job, 'c', now_ms)))
  disown(job)
  redis.call('HINCRBY', meta, 'failed_total', 1)
  record(events, max_events, 'failed', 'job_id', job_id, 'crashes', crashes, 'error', reason)
  return nil
end
