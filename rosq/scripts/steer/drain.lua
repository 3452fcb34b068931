-- Remove jobs that wait or are delayed, many at a time, with one event for all of them.
-- KEYS[1] events (STREAM)   KEYS[2] delayed (ZSET)   KEYS[3] lane of those that wait (STREAM)   then each job (HASH)
-- ARGV[1] max events   ARGV[2] 'waiting' or 'delayed'   ARGV[3] the lane's name, '' for delayed   ARGV[4] who
-- ARGV[5] why   ARGV[6] put on the queue until, ms   ARGV[7] how long ids are remembered, integer ms; 0 not at all
--   then for each job: id, its entry's id or ''
-- Returns how many were removed; one that isn't there as it was seen, or came later, is left alone.
-- Replay: nothing is left to remove, and no event is written.
-- Events drained
-- @include event
-- @include fields
-- @include entry
-- @include forget
local events, delayed, lane, state, until_ms = KEYS[1], KEYS[2], KEYS[3], ARGV[2], tonumber(ARGV[6])
local remember_ms, removed = tonumber(ARGV[7]), 0
local refusal = remember_ms > 0 and KEYS[4] and refuse_to_remake(KEYS[4])
if refusal then
  return refusal
end
for i = 4, #KEYS do
  local at = 8 + (i - 4) * 2
  local job_id, entry_id = ARGV[at], ARGV[at + 1]
  local found = redis.pcall('HMGET', KEYS[i], 'state', 'entry_id', 'created_at_ms', 'fence', 'data')
  if found.err and string.sub(found.err, 1, 9) ~= 'WRONGTYPE' then
    return found
  end
  -- A key of another type is no job that was seen here.
  local created_ms = to_ms(found[3] or string.match(entry_id, '^%d+')) or 0
  if found[1] == state and (found[2] or '') == entry_id and created_ms <= until_ms then
    local data = found[5]
    if remember_ms > 0 and state == 'waiting' then
      data = data or data_of_entry(lane, entry_id)
    end
    if state == 'waiting' then
      retire_entry(lane, entry_id)
    else
      redis.call('ZREM', delayed, job_id)
    end
    redis.call('DEL', KEYS[i])
    if remember_ms > 0 then
      remember(KEYS[i], remember_ms, found[4], data)
    end
    removed = removed + 1
  end
end
if removed > 0 then
  record(events, ARGV[1], 'drained', 'state', state, 'lane', ARGV[3], 'count', removed, 'by', ARGV[4], 'reason',
    ARGV[5])
end
return removed
