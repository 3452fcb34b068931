-- Remove a job for good, unless it runs. Its id goes on counting as a duplicate for a while, or is new at once.
-- KEYS[1] events (STREAM)   KEYS[2] delayed (ZSET)   KEYS[3] completed (ZSET)   KEYS[4] failed (ZSET)   KEYS[5] job
--   (HASH)   KEYS[6] its lane as the caller saw it (STREAM)   KEYS[7] cancelled (ZSET)
-- ARGV[1] max events   ARGV[2] job id   ARGV[3] the lane's name   ARGV[4] state that the caller saw
-- ARGV[5] finished_at_ms that it saw, or ''   ARGV[6] who   ARGV[7] why
-- ARGV[8] how long its id is remembered, integer ms; 0 not at all: then a forgotten one is removed too
-- Returns 1 removed · 0 and its state: it isn't as it was seen, or it runs · -1 it has moved to another lane · -2 no
--   such job. Nothing is written but by 1.
-- Replay: answers -2, or 0 and forgotten where the id is remembered.
-- Events removed
-- @include time
-- @include fields
-- @include event
-- @include entry
-- @include liveness
-- @include forget
local events, delayed, job, lane, job_id = KEYS[1], KEYS[2], KEYS[5], KEYS[6], ARGV[2]
local found = redis.call('HMGET', job, 'state', 'lane', 'entry_id', 'finished_at_ms', 'lease_until_ms', 'fence', 'data')
local state, entry_id, remember_ms = found[1], found[3], tonumber(ARGV[8])
if not state then
  return { -2 }
end
if state == 'forgotten' and remember_ms > 0 then
  return { 0, state }
end
if state ~= 'forgotten' and (found[2] or MAIN_LANE) ~= ARGV[3] then
  return { -1 }
end
local is_running = state == 'active' and ((to_ms(found[5]) or 0) > now_ms or is_entry_live(lane, entry_id))
if state ~= ARGV[4] or (found[4] or '') ~= ARGV[5] or is_running then
  return { 0, state }
end
local refusal = remember_ms > 0 and refuse_to_remake(job)
if refusal then
  return refusal
end
local data = found[7]
if remember_ms > 0 and not data and entry_id and redis.call('EXISTS', lane) == 1 then
  data = data_of_entry(lane, entry_id)
end
if entry_id and redis.call('EXISTS', lane) == 1 then
  retire_entry(lane, entry_id)
end
redis.call('ZREM', delayed, job_id)
redis.call('ZREM', KEYS[3], job_id)
redis.call('ZREM', KEYS[4], job_id)
redis.call('ZREM', KEYS[7], job_id)
redis.call('DEL', job)
if remember_ms > 0 then
  remember(job, remember_ms, found[6], data)
end
record(events, ARGV[1], 'removed', 'job_id', job_id, 'was', state, 'lane', ARGV[3], 'fence', found[6] or '0',
  'by', ARGV[6], 'reason', ARGV[7])
return { 1 }
