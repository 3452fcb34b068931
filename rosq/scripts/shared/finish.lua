-- @include entry

-- Take a job from whoever had it in hand, and ... other fields from its hash. Without its token a holder that wakes up
-- later is told that it lost the job, not that it had settled it.
local function disown(job, ...)
  redis.call('HDEL', job, 'token', ...)
end

-- Move a job out of its lane to the finished ones. Touches the job's hash first: where that is undeclared and fails,
-- nothing was written. What the hash says of its last delivery stays: it is what a repeated settle is known by.
-- state 'completed', 'failed' or 'cancelled'; entry_id: nil where it has none; crashes: whether their count is forgotten;
-- ... further fields of the hash
local function finish(job, job_id, lane, entry_id, finished, state, crashes, ...)
  redis.call('HSET', job, 'state', state, 'finished_at_ms', now_ms, ...)
  if crashes then
    redis.call('HDEL', job, 'crashes')
  end
  if entry_id then
    retire_entry(lane, entry_id)
  end
  redis.call('ZADD', finished, now_ms, job_id)
end

-- End a job as cancelled, and count it. crashes: whether their count is forgotten, as it is with any settle; ... further
-- fields of the hash
local function finish_cancelled(job, job_id, lane, entry_id, cancelled, meta, crashes, ...)
  finish(job, job_id, lane, entry_id, cancelled, 'cancelled', crashes, ...)
  redis.call('HINCRBY', meta, 'cancelled_total', 1)
end
