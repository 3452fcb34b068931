-- Put a job that nobody has in hand into another lane.
-- KEYS[1] events (STREAM)   KEYS[2] names of lanes (SET)   KEYS[3] job (HASH)
-- KEYS[4] lane in which it lies now, as the caller saw it (STREAM)   KEYS[5] target lane (STREAM)   KEYS[6] its bell
--   (LIST)
-- ARGV[1] max events   ARGV[2] job id   ARGV[3] name of the lane in KEYS[4]   ARGV[4] target lane's name
-- ARGV[5] who and ARGV[6] why, where an operator moves it
-- Returns 1 moved · 0 left alone: no such job, in hand, over, dead, or not in that lane any more; nothing written
-- Replay: the job isn't in that lane any more, so it answers 0.
-- Events moved
-- @include event
-- @include entry
local events, lanes, job, lane = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local job_id, from_name, to_name = ARGV[2], ARGV[3], ARGV[4]
local found = redis.pcall('HMGET', job, 'state', 'lane', 'entry_id', 'data')
if found.err then
  -- A key of another type is no job; anything else is to be heard of.
  return string.sub(found.err, 1, 9) == 'WRONGTYPE' and 0 or found
end
local state, entry_id = found[1], found[3]
if (found[2] or MAIN_LANE) ~= from_name or from_name == to_name then
  return 0
end
if state ~= 'delayed' and state ~= 'waiting' then
  return 0
end
if state == 'waiting' and not (to_entry_id(entry_id) and redis.call('XRANGE', lane, entry_id, entry_id)[1]) then
  return 0
end

if state == 'delayed' then
  redis.call('SADD', lanes, to_name)
  redis.call('HSET', job, 'lane', to_name)
else
  local data = data_of_entry(lane, entry_id) or found[4]
  keep_created(job, entry_id)
  retire_entry(lane, entry_id)
  wait_again(job, job_id, lanes, to_name, KEYS[5], KEYS[6], data, 'lane', to_name)
end
if ARGV[5] then
  record(events, ARGV[1], 'moved', 'job_id', job_id, 'lane', to_name, 'was', from_name, 'by', ARGV[5],
    'reason', ARGV[6])
else
  record(events, ARGV[1], 'moved', 'job_id', job_id, 'lane', to_name, 'was', from_name)
end
return 1
