-- @include entry

-- Move a job out of its lane to the finished ones. Touches the job's hash first: where that is undeclared and fails,
-- nothing was written. What the hash says of its last delivery stays: it is what a repeated settle is known by.
-- state 'completed' or 'failed'; crashes: whether their count is forgotten; ... further fields of the hash
local function finish(job, job_id, lane, entry_id, finished, state, crashes, ...)
  redis.call('HSET', job, 'state', state, 'finished_at_ms', now_ms, ...)
  if crashes then
    redis.call('HDEL', job, 'crashes')
  end
  retire_entry(lane, entry_id)
  redis.call('ZADD', finished, now_ms, job_id)
end
