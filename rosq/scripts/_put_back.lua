-- @include _time
-- @include _worker_args
-- @include _settle_args
-- @include _entry
-- @include _delay
-- Put-back scripts get besides:
-- KEYS[10] lane that the job goes to (STREAM)   KEYS[11] its bell (LIST)   KEYS[12] names of lanes (SET)

-- Put the held job back: into the target lane, or, with a delay, among the delayed ones. `crashes` goes back to 0.
-- data: what the hash has, or nil or false; ... further fields of the hash. Returns when it is due, in ms, as text.
local function put_back(target_name, delay_ms, data, ...)
  local carried = not data and data_of_entry(lane, entry_id) or nil
  local due_ms = now_ms + delay_ms
  redis.call('SADD', KEYS[12], target_name)
  redis.call('HDEL', job, 'lease_until_ms', 'instance', 'crashes', 'entry_id')
  retire_entry(lane, entry_id)
  if delay_ms > 0 then
    if carried then
      redis.call('HSET', job, 'data', carried)
    end
    redis.call('HSET', job, 'state', 'delayed', 'lane', target_name, ...)
    add_delayed(delayed, timer_bell, job_id, due_ms)
  else
    local added = add_entry(KEYS[10], KEYS[11], job_id, carried or data)
    if data and #data > LONG then
      redis.call('HDEL', job, 'data')
    end
    redis.call('HSET', job, 'state', 'waiting', 'lane', target_name, 'entry_id', added, ...)
  end
  return string.format('%.0f', due_ms)
end
