-- Take a job from a holder whose lease has run out, and put it back with one more crash on the count.
-- KEYS[1] events (STREAM)   KEYS[2] meta (HASH)   KEYS[3] delayed (ZSET)   KEYS[4] timer bell (LIST)   KEYS[5] failed
--   (ZSET)
-- KEYS[6] job (HASH)   KEYS[7] lane (STREAM)   KEYS[8] its bell (LIST)   KEYS[9] cancelled (ZSET)
-- KEYS[10] names of lanes (SET)
-- ARGV[1] max events   ARGV[2] job id   ARGV[3] entry's id   ARGV[4] max crashes   ARGV[5] first pause, integer ms
-- ARGV[6] the lane's name
-- Constants KEEP_DELIVERIES
-- Returns 1 put back · 2 failed, it crashed too often, or its key is of another type · 3 cancelled, since that was asked for while it ran · 0 its lease
--   stands: left to its holder · -1 the entry wasn't its job's any more: dropped
-- Replay: the entry is gone, so it answers -1 and changes nothing.
-- Events crashed, failed, cancelled, dropped, put_aside
-- @include time
-- @include event
-- @include entry
-- @include delay
-- @include lost
-- @include fields
-- @include foreign_job
local events, meta, delayed, timer_bell, failed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local job, lane, bell = KEYS[6], KEYS[7], KEYS[8]
local max_events, job_id, entry_id = ARGV[1], ARGV[2], ARGV[3]
local MAX_PAUSE_MS = 60000

local found = redis.pcall('HMGET', job, 'entry_id', 'state', 'lease_until_ms', 'worker', 'crashes', 'data', 'lane')
if found.err then
  if string.sub(found.err, 1, 9) ~= 'WRONGTYPE' then
    return found
  end
  fail_foreign_job(events, max_events, meta, failed, job, job_id, lane, entry_id, ARGV[6], data_of_entry(lane, entry_id))
  return 2
end
-- A finished job keeps the id of its last entry: its holder may have settled it since the caller claimed that entry.
if found[1] ~= entry_id or (found[2] ~= 'active' and found[2] ~= 'waiting') then
  local there = redis.call('XRANGE', lane, entry_id, entry_id)[1]
  retire_entry(lane, entry_id)
  if there then
    record(events, max_events, 'dropped', 'job_id', job_id, 'entry_id', entry_id)
  end
  return -1
end
if found[2] == 'active' and found[4] and (to_ms(found[3]) or 0) > now_ms then
  -- A holder with a longer lease than the caller's, or one that came back in between: it keeps its job.
  redis.call('XCLAIM', lane, 'workers', found[4], 0, entry_id, 'JUSTID')
  return 0
end

-- In the entry only where it was never handed out in order.
local data = found[6] or data_of_entry(lane, entry_id)
local crashes, pause_ms = to_whole(found[5]) or 0, 0
if found[2] == 'active' then
  if cancel_lost(job, job_id, lane, entry_id, KEYS[9], meta, events, max_events) then
    return 3
  end
  crashes = count_crash(job, job_id, lane, entry_id, crashes, tonumber(ARGV[4]), failed, meta, events, max_events)
  if not crashes then
    return 2
  end
  -- A job that kills its holders mustn't do so without a rest. Only here: who takes a job up at once under the same name
  -- has just been started.
  pause_ms = math.min(tonumber(ARGV[5]) * 2 ^ (crashes - 1), MAX_PAUSE_MS)
end
keep_created(job, entry_id)
disown(job, 'lease_until_ms', 'entry_id')
retire_entry(lane, entry_id)
if pause_ms > 0 then
  redis.call('HSET', job, 'state', 'delayed', 'lane', found[7] or MAIN_LANE, 'data', data or '')
  add_delayed(delayed, timer_bell, job_id, now_ms + pause_ms)
else
  wait_again(job, job_id, KEYS[10], ARGV[6], lane, bell, data)
end
record(events, max_events, 'crashed', 'job_id', job_id, 'crashes', crashes, 'worker', found[4] or '',
  'pause_ms', pause_ms)
return 1
