-- @include ring
-- @include long
-- @include lane
-- @include entry_id

-- Whether a job's data lie in its entry while it waits; nil where they are lost.
local function is_long(data)
  return data and #data > LONG
end

-- Add a job's entry to a lane, list that lane, and ring its bell. Returns the entry's id.
-- The lane is listed by whoever fills it: it may have lain empty for so long that it was removed.
local function add_entry(lanes, lane_name, lane, bell, job_id, data)
  redis.call('SADD', lanes, lane_name)
  local entry_id
  if is_long(data) then
    entry_id = redis.call('XADD', lane, '*', 'job_id', job_id, 'data', data)
  else
    entry_id = redis.call('XADD', lane, '*', 'job_id', job_id)
  end
  ring(bell)
  return entry_id
end

-- A job goes to wait, once more or when its time has come: an entry in its lane, and its data in that or in the hash,
-- never in both. ... further fields of the hash, such as the lane where that isn't named there. Returns the entry's id.
local function wait_again(job, job_id, lanes, lane_name, lane, bell, data, ...)
  local entry_id = add_entry(lanes, lane_name, lane, bell, job_id, data)
  redis.call('HSET', job, 'state', 'waiting', 'entry_id', entry_id, ...)
  if is_long(data) then
    redis.call('HDEL', job, 'data')
  end
  return entry_id
end

-- The job that an entry stands for, and the data that it carries, if it does.
local function job_and_data(fields)
  return fields[1] == 'job_id' and fields[2] or '', fields[3] == 'data' and fields[4] or nil
end

-- The data that an entry carries; nil where they lie in the hash, or the entry is gone.
local function data_of_entry(lane, entry_id)
  if not to_entry_id(entry_id) then
    return nil
  end
  local found = redis.call('XRANGE', lane, entry_id, entry_id)
  if not found[1] then
    return nil
  end
  local _, data = job_and_data(found[1][2])
  return data
end

-- Note when a job was put on the queue, before it loses the entry whose id says so: the first one. A job that never
-- lost one names no such time.
local function keep_created(job, entry_id)
  local created_at_ms = string.match(entry_id or '', '^%d+')
  if created_at_ms then
    redis.call('HSETNX', job, 'created_at_ms', created_at_ms)
  end
end

-- Take an entry out of its lane for good. XACK alone never gives the memory back.
local function retire_entry(lane, entry_id)
  if not to_entry_id(entry_id) then
    return
  end
  redis.call('XACK', lane, 'workers', entry_id)
  redis.call('XDEL', lane, entry_id)
end
