-- Start a job again that is finished or forgotten; leave a live one alone. Its fences and its history go on.
-- KEYS[1] events (STREAM)   KEYS[2] meta (HASH)   KEYS[3] delayed (ZSET)   KEYS[4] timer bell (LIST)
-- KEYS[5] names of lanes (SET)   KEYS[6] completed (ZSET)   KEYS[7] failed (ZSET)   KEYS[8] job (HASH)
-- KEYS[9] lane in which it lies now, as the caller saw it (STREAM)   KEYS[10] target lane (STREAM)   KEYS[11] its bell
--   (LIST)   KEYS[12] cancelled (ZSET)
-- ARGV[1] max events   ARGV[2] key-schema version   ARGV[3] job id   ARGV[4] name of the lane in KEYS[9]
-- ARGV[5] target lane's name   ARGV[6] data (JSON)   ARGV[7] delay, integer ms, or @ and the due time   ARGV[8] fence floor
-- Constants KEEP_DELIVERIES
-- Returns 1 and the new state · 0 and the state of a live job: nothing written · -1 and its lane: look again with that
--   one
-- Replay: answers 0 where it answered 1.
-- Events reopened
-- @include time
-- @include fields
-- @include event
-- @include entry
-- @include delay
-- @include liveness
-- @include history
-- @include aside
local events, meta, delayed, timer_bell, lanes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local job, job_id, data, delay_ms = KEYS[8], ARGV[3], ARGV[6], tonumber(ARGV[7])
if not delay_ms then
  delay_ms = math.max(tonumber(string.sub(ARGV[7], 2)) - now_ms, 0)
end
-- What something else wrote under the job's key isn't the job: it is put aside.
put_job_aside(events, ARGV[1], job, job_id)
local found = redis.call('HMGET', job, 'state', 'lane', 'entry_id', 'fence', 'lease_until_ms', 'finished_at_ms',
  'history')
local state, entry_id = found[1], found[3]

if state and (found[2] or MAIN_LANE) ~= ARGV[4] then
  return { -1, found[2] or MAIN_LANE }
end
if redis.call('ZSCORE', delayed, job_id) then
  return { 0, state or 'delayed' }
end
if state == 'waiting' or state == 'active' then
  local has_lease = state == 'active' and (to_ms(found[5]) or 0) > now_ms
  if has_lease or is_entry_live(KEYS[9], entry_id) then
    return { 0, state }
  end
end

-- A dead entry that is still there must not be taken for the new one's.
if to_entry_id(entry_id) and redis.call('EXISTS', KEYS[9]) == 1 then
  redis.call('XDEL', KEYS[9], entry_id)
end
redis.call('HSETNX', meta, 'schema_version', ARGV[2])
local old = redis.call('HKEYS', job)
-- What happened in its earlier life stays with the id.
local history = { found[7] and 'history' or nil, found[7] or nil }
local ended = {}
if state == 'completed' and to_ms(found[6]) then
  ended = end_delivery(job, 'd', to_ms(found[6]))
elseif state == 'active' then
  ended = end_delivery(job, 'c', now_ms)
end
history = ended[1] and ended or history
local last_fence = math.max(to_whole(found[4]) or 0, tonumber(ARGV[8]))
local fields = { 'lane', ARGV[5], 'created_at_ms', string.format('%.0f', now_ms) }
if last_fence > 0 then
  fields[#fields + 1] = 'fence'
  fields[#fields + 1] = string.format('%.0f', last_fence)
end
if delay_ms > 0 or not is_long(data) then
  fields[#fields + 1] = 'data'
  fields[#fields + 1] = data
end
fields[#fields + 1] = history[1]
fields[#fields + 1] = history[2]
local is_new = { state = true, entry_id = delay_ms <= 0 }
if delay_ms > 0 then
  redis.call('SADD', lanes, ARGV[5])
  add_delayed(delayed, timer_bell, job_id, now_ms + delay_ms)
  redis.call('HSET', job, 'state', 'delayed', unpack(fields))
else
  wait_again(job, job_id, lanes, ARGV[5], KEYS[10], KEYS[11], data, unpack(fields))
end
-- Never empty in between: in a slot that is moving to another node, a key that was deleted can't be made anew, and the
-- script would end there, with an entry that has no job.
for i = 1, #fields, 2 do
  is_new[fields[i]] = true
end
for _, field in ipairs(old) do
  if not is_new[field] then
    redis.call('HDEL', job, field)
  end
end
-- An id that was remembered only had its time.
redis.call('PERSIST', job)
redis.call('ZREM', KEYS[6], job_id)
redis.call('ZREM', KEYS[7], job_id)
redis.call('ZREM', KEYS[12], job_id)
redis.call('HINCRBY', meta, 'reopened_total', 1)
record(events, ARGV[1], 'reopened', 'job_id', job_id, 'lane', ARGV[5], 'was', state or 'missing')
return { 1, delay_ms > 0 and 'delayed' or 'waiting' }
