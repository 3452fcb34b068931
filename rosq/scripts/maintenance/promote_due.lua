-- Put delayed jobs that are due into their lanes.
-- KEYS[1] events (STREAM)   KEYS[2] delayed (ZSET)   then for each job: job (HASH), lane (STREAM), bell (LIST)
-- ARGV[1] max events   then for each job: id, lane's name as the caller saw it
-- Returns now in ms, and when the next one is due in ms, or ''
-- One that isn't due, or has moved, is left alone; one without a job is taken out.
-- Replay: a promoted job isn't delayed any more, so nothing happens to it.
-- Events promoted, dropped
-- @include time
-- @include event
-- @include entry
local events, delayed, max_events = KEYS[1], KEYS[2], ARGV[1]
for i = 3, #KEYS, 3 do
  local at = 2 + (i - 3) / 3 * 2
  local job_id, lane_name = ARGV[at], ARGV[at + 1]
  local job, lane, bell = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  local due_ms = redis.call('ZSCORE', delayed, job_id)
  if due_ms and tonumber(due_ms) <= now_ms then
    local found = redis.call('HMGET', job, 'state', 'lane', 'data')
    if found[1] ~= 'delayed' then
      redis.call('ZREM', delayed, job_id)
      record(events, max_events, 'dropped', 'job_id', job_id, 'due_at_ms', due_ms)
    elseif (found[2] or MAIN_LANE) == lane_name then
      local entry_id = add_entry(lane, bell, job_id, found[3])
      redis.call('HSET', job, 'state', 'waiting', 'entry_id', entry_id)
      if found[3] and #found[3] > LONG then
        redis.call('HDEL', job, 'data')
      end
      redis.call('ZREM', delayed, job_id)
      record(events, max_events, 'promoted', 'job_id', job_id, 'lane', lane_name, 'late_ms',
        string.format('%.0f', now_ms - tonumber(due_ms)))
    end
  end
end
local next_due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
return { string.format('%.0f', now_ms), next_due[2] or '' }
