-- @include _entry

-- Move a job out of its lane to the finished ones. Touches the job's hash first: where that is undeclared and fails,
-- nothing was written.
-- state 'completed' or 'failed'; data nil if they lie in the hash already; ... further fields of the hash
local function finish(job, job_id, lane, entry_id, finished, state, data, at_ms, ...)
  local at = string.format('%.0f', at_ms)
  if data then
    redis.call('HSET', job, 'data', data, 'state', state, 'finished_at_ms', at, ...)
  else
    redis.call('HSET', job, 'state', state, 'finished_at_ms', at, ...)
  end
  redis.call('HDEL', job, 'entry_id', 'lease_until_ms', 'instance', 'crashes')
  retire_entry(lane, entry_id)
  redis.call('ZADD', finished, at, job_id)
end
