-- Mend an entry that no job knows of. Where its job is dead, or gone while the entry carries its data, the job waits
-- again under it; else the entry is dropped.
-- KEYS[1..9], ARGV[1..7] see shared/mend_args; the lane and the worker are those of the entry's job
-- KEYS[10] lane of the entry (STREAM)   KEYS[11] its bell (LIST)
-- ARGV[8] the entry's id   ARGV[9] name of the lane in KEYS[10]
-- Returns 1 mended · 0 it isn't in that half-state any more: nothing written
-- Replay: answers 0.
-- Events repaired
-- @include mend_args
-- @include finish
local from, bell, entry_id, from_name = KEYS[10], KEYS[11], ARGV[8], ARGV[9]
local seen = look_at_job(job, job_id, delayed, lane, lane_name, hold, worker_name)
local found, entry
if seen then
  found, entry = judge_entry(seen, from, from_name, entry_id)
end
if not found or found ~= kind then
  return 0
end

if kind == 'vanished_entry' then
  redis.call('XACK', from, 'workers', entry_id)
  tell('acknowledged', 'lane', from_name, 'entry_id', entry_id)
  return 1
end
local is_missing = kind == 'entry_without_job'
-- The hash knows best: an old entry may carry what the job was before it was reopened.
local data = seen.data or entry.data
local is_to_run = is_missing and job_id ~= '' or seen.is_dead and not seen.due_ms
if not data or not is_to_run then
  retire_entry(from, entry_id)
  tell('dropped', 'lane', from_name, 'entry_id', entry_id, 'was', seen.state or 'missing')
  return 1
end

redis.call('SADD', lanes, from_name)
local is_its_place = lane_name == from_name and seen.entry_id == entry_id
if seen.has_entry and not is_its_place then
  retire_entry(lane, seen.entry_id)
end
keep_created(job, is_missing and entry_id or seen.entry_id)
disown(job, 'lease_until_ms')
local added = entry_id
local carries_it = entry.data == data or (not entry.data and seen.has_data)
if carries_it and not is_handed_out(from, entry_id) then
  ring(bell)
  redis.call('HSET', job, 'state', 'waiting', 'lane', from_name, 'entry_id', entry_id)
else
  -- Nothing would hand this one out, or it would hand out other data.
  retire_entry(from, entry_id)
  added = wait_again(job, job_id, lanes, from_name, from, bell, data, 'lane', from_name)
end
if is_missing then
  redis.call('ZREM', delayed, job_id)
end
tell(is_missing and 'rebuilt' or 'put back', 'lane', from_name, 'entry_id', added, 'was', seen.state or 'missing')
return 1
