-- Put delayed jobs that are due into their lanes.
-- KEYS[1] events (STREAM)   KEYS[2] delayed (ZSET)   KEYS[3] names of lanes (SET)   then for each job: job (HASH), lane
--   (STREAM), bell (LIST)
-- ARGV[1] max events   ARGV[2] by how much a job is put off that can't be promoted, integer ms
-- then for each job: id, lane's name as the caller saw it
-- Returns now in ms, when the next one is due in ms, or '', and of each job that was put off its id and why
-- One that isn't due, or has moved, is left alone; one without a job is taken out; one whose key is of another type fails.
-- Replay: a promoted job isn't delayed any more, so nothing happens to it.
-- Events promoted, dropped, put_aside, failed
-- @include time
-- @include event
-- @include entry
-- @include foreign_job
local events, delayed, lanes, max_events = KEYS[1], KEYS[2], KEYS[3], ARGV[1]

local function promote(job_id, lane_name, job, lane, bell)
  local due_ms = redis.call('ZSCORE', delayed, job_id)
  if not due_ms or tonumber(due_ms) > now_ms then
    return
  end
  local found = redis.pcall('HMGET', job, 'state', 'lane', 'data')
  if found.err then
    if string.sub(found.err, 1, 9) ~= 'WRONGTYPE' then
      error(found)
    end
    local prefix = string.sub(events, 1, -7)
    fail_foreign_job(events, max_events, prefix .. 'meta', prefix .. 'failed', job, job_id, nil, nil, lane_name, nil)
    redis.call('ZREM', delayed, job_id)
  elseif found[1] ~= 'delayed' then
    redis.call('ZREM', delayed, job_id)
    record(events, max_events, 'dropped', 'job_id', job_id, 'due_at_ms', due_ms)
  elseif (found[2] or MAIN_LANE) == lane_name then
    -- Where the bell or the lane isn't ours to write, this is where it shows, and nothing is written.
    ring(bell)
    wait_again(job, job_id, lanes, lane_name, lane, bell, found[3])
    redis.call('ZREM', delayed, job_id)
    record(events, max_events, 'promoted', 'job_id', job_id, 'lane', lane_name, 'late_ms',
      string.format('%.0f', now_ms - tonumber(due_ms)))
  end
end

local put_off = {}
for i = 4, #KEYS, 3 do
  local job_id = ARGV[3 + (i - 4) / 3 * 2]
  local is_done, failure = pcall(promote, job_id, ARGV[4 + (i - 4) / 3 * 2], KEYS[i], KEYS[i + 1], KEYS[i + 2])
  if not is_done then
    -- One that is promoted, and whose event alone can't be written, isn't there any more.
    redis.call('ZADD', delayed, 'XX', string.format('%.0f', now_ms + ARGV[2]), job_id)
    put_off[#put_off + 1] = job_id
    put_off[#put_off + 1] = type(failure) == 'table' and failure.err or tostring(failure)
  end
end
local next_due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
return { string.format('%.0f', now_ms), next_due[2] or '', unpack(put_off) }
