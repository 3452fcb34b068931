-- Put new jobs on the queue; an id that exists already is left as it is.
-- KEYS[1] events (STREAM)   KEYS[2] meta (HASH)   KEYS[3] delayed (ZSET)   KEYS[4] timer bell (LIST)
-- KEYS[5] names of lanes (SET)   then for each lane: lane (STREAM), bell (LIST)   then for each job: job (HASH)
-- ARGV[1] how many lanes   then each lane's name   then for each job its data (JSON)   then for each job that isn't
--   simply put into the first lane: its number, its lane's number, delay (integer ms; or @ and
--   the due time), fence floor; numbers from 1
-- Constants MAX_EVENTS, SCHEMA_VERSION
-- No job stands twice in KEYS.
-- Returns of each job that wasn't simply put into its lane: its number, a code and its state: 1 created (delayed) · 0
-- exists with the same data · -1 exists with other data · -2 exists, and only a second look can compare: its data lie
-- elsewhere, or one of the two has options
-- Replay: answers 0 where it created before.
-- Events enqueued: one a call, which names the jobs of a small one
-- No function is made here, nor shared: each would cost a twentieth of the whole call. And what stands outside of the
-- script's locals is looked up once.
-- @include long
-- @include lane
local call, sub, keys, args = redis.call, string.sub, KEYS, ARGV
local events, meta, delayed, timer_bell, lanes = keys[1], keys[2], keys[3], keys[4], keys[5]
local lane_count = args[1] + 0
local before_jobs, before_data = 5 + 2 * lane_count, 1 + lane_count
local job_count = #keys - before_jobs
local special = before_data + job_count + 1
local next_special = args[special] and tonumber(args[special])
-- A call with so few new jobs names them all in its event.
local FEW = 20
-- A job's key is that of the events with "job:" and the id in place of "events".
local id_starts = #events - 1
-- Mostly none of many jobs exists, and one look says so.
local are_all_new = job_count > 1 and call('EXISTS', unpack(keys, before_jobs + 1)) == 0
-- Otherwise all are looked at before the first is written. A job whose key is of another type hinders no other.
local states = {}
for n = 1, are_all_new and 0 or job_count do
  local state = redis.pcall('HGET', keys[before_jobs + n], 'state')
  if type(state) == 'table' then
    if sub(state.err, 1, 9) ~= 'WRONGTYPE' then
      return state
    end
    state = 'unreadable'
  end
  states[n] = state
end
local told, created, first, last, first_lane, is_rung, earliest_ms = {}, 0, nil, nil, nil, {}, nil
local ids = job_count > 1 and job_count <= FEW and {}

for n = 1, job_count do
  local job, data = keys[before_jobs + n], args[before_data + n]
  local job_id, lane_number, delay_ms, floor = sub(job, id_starts), 1, 0, '0'
  if n == next_special then
    lane_number, delay_ms, floor = tonumber(args[special + 1]), tonumber(args[special + 2]), args[special + 3]
    if not delay_ms then
      local time = call('TIME')
      local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
      delay_ms = tonumber(sub(args[special + 2], 2)) - now_ms
    end
    special = special + 4
    next_special = args[special] and tonumber(args[special])
  end
  local state = states[n]
  if state then
    local existing = state ~= 'unreadable' and call('HGET', job, 'data')
    local is_told = existing and (existing == data or not string.find(existing .. data, '\n', 1, true))
    told[#told + 1] = { n, is_told and (existing == data and 0 or -1) or -2, state }
  else
    local lane_name = args[1 + lane_number]
    if delay_ms > 0 then
      local time = call('TIME')
      local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
      told[#told + 1] = { n, 1, 'delayed' }
      call('SADD', lanes, lane_name)
      call('HSET', job, 'state', 'delayed', 'lane', lane_name, 'created_at_ms', now_ms, 'data', data)
      call('ZADD', delayed, now_ms + delay_ms, job_id)
      earliest_ms = math.min(earliest_ms or now_ms + delay_ms, now_ms + delay_ms)
    else
      local lane, entry_id = keys[4 + 2 * lane_number], nil
      local is_long = #data > LONG
      if is_long then
        entry_id = call('XADD', lane, '*', 'job_id', job_id, 'data', data)
      else
        entry_id = call('XADD', lane, '*', 'job_id', job_id)
      end
      -- When it was created the entry's id says.
      if lane_name == MAIN_LANE and is_long then
        call('HSET', job, 'state', 'waiting', 'entry_id', entry_id)
      elseif lane_name == MAIN_LANE then
        call('HSET', job, 'state', 'waiting', 'entry_id', entry_id, 'data', data)
      elseif is_long then
        call('HSET', job, 'state', 'waiting', 'entry_id', entry_id, 'lane', lane_name)
      else
        call('HSET', job, 'state', 'waiting', 'entry_id', entry_id, 'data', data, 'lane', lane_name)
      end
      is_rung[lane_number] = true
    end
    if floor ~= '0' then
      call('HSET', job, 'fence', floor)
    end
    if created == 0 then
      first, first_lane = job_id, lane_name
    end
    last, created = job_id, created + 1
    if ids then
      ids[created] = job_id
    end
  end
end
if created > 0 then
  for lane_number in pairs(is_rung) do
    local bell = keys[5 + 2 * lane_number]
    -- Whoever rings a bell makes its lane known: where it rings already, the lane is.
    if call('EXISTS', bell) == 0 then
      call('SADD', lanes, args[1 + lane_number])
      call('RPUSH', bell, '1')
    end
  end
  if earliest_ms and tonumber(call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]) >= earliest_ms
      and call('EXISTS', timer_bell) == 0 then
    -- One of these is the earliest now: a sleeper who watches the time sleeps no longer than to that.
    call('RPUSH', timer_bell, '1')
  end
  local total = call('HINCRBY', meta, 'enqueued_total', created)
  if total == created then
    call('HSETNX', meta, 'schema_version', SCHEMA_VERSION)
  end
  if created == 1 and total % 64 > 0 then
    -- Trimming the stream each time would be three arguments more.
    call('XADD', events, '*', 'event', 'enqueued', 'job_id', first, 'lane', first_lane)
  elseif created == 1 then
    call('XADD', events, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', 'enqueued', 'job_id', first, 'lane', first_lane)
  elseif ids then
    call('XADD', events, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', 'enqueued', 'job_ids', table.concat(ids, ' '),
      'lane', first_lane)
  else
    call('XADD', events, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', 'enqueued', 'count', created, 'first', first,
      'last', last, 'lane', first_lane)
  end
end
return told
