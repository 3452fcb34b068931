-- Put new jobs on the queue; an id that exists already is left as it is.
-- KEYS[1] events (STREAM)   KEYS[2] meta (HASH)   KEYS[3] delayed (ZSET)   KEYS[4] timer bell (LIST)
-- KEYS[5] names of lanes (SET)   then for each lane: lane (STREAM), bell (LIST)   then for each job: job (HASH)
-- ARGV[1] max events   ARGV[2] key-schema version   ARGV[3] how many lanes   then each lane's name
-- then for each job: id, data (JSON), number of its lane from 1, delay (integer ms), fence floor
-- Returns for each job a code and the job's state: 1 created · 0 exists with the same data · -1 exists with other data
-- · -2 exists, its data lie elsewhere: compare them in a second look
-- Replay: answers 0 where it answered 1.
-- Events enqueued
-- @include _time
-- @include _event
-- @include _entry
-- @include _delay
local events, meta, delayed, timer_bell, lanes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local max_events, lane_count = ARGV[1], tonumber(ARGV[3])
local first_job, first_arg = 6 + 2 * lane_count, 4 + lane_count
local result, created, seen = {}, 0, {}

redis.call('HSETNX', meta, 'schema_version', ARGV[2])
for i = first_job, #KEYS do
  local at = first_arg + (i - first_job) * 5
  local job_id, data, lane_number = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local delay_ms, floor = tonumber(ARGV[at + 3]), ARGV[at + 4]
  local job, lane_name = KEYS[i], ARGV[3 + lane_number]
  local lane, bell = KEYS[4 + 2 * lane_number], KEYS[5 + 2 * lane_number]
  local found = redis.call('HMGET', job, 'state', 'data')
  if found[1] then
    result[#result + 1] = found[2] and (found[2] == data and 0 or -1) or -2
    result[#result + 1] = found[1]
  else
    if not seen[lane_number] then
      seen[lane_number] = true
      redis.call('SADD', lanes, lane_name)
    end
    local fields = { 'state', 'delayed', 'lane', lane_name, 'created_at_ms', string.format('%.0f', now_ms) }
    if floor ~= '0' then
      fields[#fields + 1] = 'fence'
      fields[#fields + 1] = floor
    end
    if delay_ms > 0 or #data <= LONG then
      fields[#fields + 1] = 'data'
      fields[#fields + 1] = data
    end
    if delay_ms > 0 then
      add_delayed(delayed, timer_bell, job_id, now_ms + delay_ms)
    else
      fields[2] = 'waiting'
      fields[#fields + 1] = 'entry_id'
      fields[#fields + 1] = add_entry(lane, bell, job_id, data)
    end
    redis.call('HSET', job, unpack(fields))
    record(events, max_events, 'enqueued', 'job_id', job_id, 'lane', lane_name)
    created = created + 1
    result[#result + 1] = 1
    result[#result + 1] = fields[2]
  end
end
if created > 0 then
  redis.call('HINCRBY', meta, 'enqueued_total', created)
end
return result
