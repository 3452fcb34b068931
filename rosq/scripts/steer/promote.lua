-- Put a delayed job into its lane now, before it is due.
-- KEYS[1] events (STREAM)   KEYS[2] delayed (ZSET)   KEYS[3] job (HASH)   KEYS[4] its lane as the caller saw it (STREAM)
-- KEYS[5] its bell (LIST)   KEYS[6] names of lanes (SET)
-- ARGV[1] max events   ARGV[2] job id   ARGV[3] the lane's name   ARGV[4] who   ARGV[5] why
-- Returns 1 put into its lane · 0 and its state: it isn't delayed · -1 it has moved to another lane · -2 no such job.
--   Nothing is written but by 1.
-- Replay: answers 0, since the job waits by then.
-- Events advanced
-- @include time
-- @include event
-- @include entry
local events, delayed, job, lane, bell, job_id = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[2]
local found = redis.call('HMGET', job, 'state', 'lane', 'data')
local due_ms = redis.call('ZSCORE', delayed, job_id)
if not found[1] then
  return { -2 }
end
if found[1] ~= 'delayed' or not due_ms then
  return { 0, found[1] }
end
if (found[2] or MAIN_LANE) ~= ARGV[3] then
  return { -1 }
end
wait_again(job, job_id, KEYS[6], ARGV[3], lane, bell, found[3])
redis.call('ZREM', delayed, job_id)
record(events, ARGV[1], 'advanced', 'job_id', job_id, 'lane', ARGV[3], 'early_ms',
  string.format('%.0f', tonumber(due_ms) - now_ms), 'by', ARGV[4], 'reason', ARGV[5])
return { 1 }
