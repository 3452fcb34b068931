-- @include _ring

-- Data above this many bytes lie in the lane's entry while the job waits: a longer value in the hash costs it the
-- compact encoding (hash-max-listpack-value, 64 by default) and nearly doubles the job.
local LONG = 64

-- Add a job's entry to a lane and ring its bell. Returns the entry's id.
local function add_entry(lane, bell, job_id, data)
  local entry_id
  if data and #data > LONG then
    entry_id = redis.call('XADD', lane, '*', 'job_id', job_id, 'data', data)
  else
    entry_id = redis.call('XADD', lane, '*', 'job_id', job_id)
  end
  ring(bell)
  return entry_id
end

-- The data that an entry carries; nil where they lie in the hash, or the entry is gone.
local function data_of_entry(lane, entry_id)
  local found = redis.call('XRANGE', lane, entry_id, entry_id)
  if not found[1] then
    return nil
  end
  local fields = found[1][2]
  for i = 1, #fields, 2 do
    if fields[i] == 'data' then
      return fields[i + 1]
    end
  end
  return nil
end

-- Take an entry out of its lane for good. XACK alone never gives the memory back.
local function retire_entry(lane, entry_id)
  redis.call('XACK', lane, 'workers', entry_id)
  redis.call('XDEL', lane, entry_id)
end
