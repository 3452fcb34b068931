-- Start a failed, cancelled or dead job again with its own data, its attempts and crashes back at 0; fences go on.
-- KEYS[1] events (STREAM)   KEYS[2] meta (HASH)   KEYS[3] delayed (ZSET)   KEYS[4] failed (ZSET)   KEYS[5] names of
--   lanes (SET)   KEYS[6] job (HASH)   KEYS[7] its lane as the caller saw it (STREAM)   KEYS[8] its bell (LIST)
-- KEYS[9] cancelled (ZSET)
-- ARGV[1] max events   ARGV[2] job id   ARGV[3] the lane's name   ARGV[4] state that the caller saw
-- ARGV[5] finished_at_ms that it saw, or ''   ARGV[6] who   ARGV[7] why
-- Constants KEEP_DELIVERIES
-- Returns 1 started · 0 and its state: it isn't as it was seen, or it lives · -1 it has moved to another lane · -2 no
--   such job · -3 its data are lost. Nothing is written but by 1.
-- Replay: answers 0, since the job waits by then.
-- Events restarted
-- @include time
-- @include fields
-- @include event
-- @include finish
-- @include liveness
-- @include history
local events, meta, delayed, failed, lanes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local job, lane, bell, job_id = KEYS[6], KEYS[7], KEYS[8], ARGV[2]
local found = redis.call('HMGET', job, 'state', 'lane', 'entry_id', 'data', 'finished_at_ms', 'lease_until_ms')
local state, entry_id, data = found[1], found[3], found[4]
if not state then
  return { -2 }
end
if state == 'forgotten' then
  return { 0, state }
end
if (found[2] or MAIN_LANE) ~= ARGV[3] then
  return { -1 }
end
local is_startable = state ~= 'completed'
if state == 'waiting' or state == 'active' or state == 'delayed' then
  local has_lease = state == 'active' and (to_ms(found[6]) or 0) > now_ms
  is_startable = not (has_lease or redis.call('ZSCORE', delayed, job_id) or is_entry_live(lane, entry_id))
end
if state ~= ARGV[4] or (found[5] or '') ~= ARGV[5] or not is_startable then
  return { 0, state }
end
if not data and entry_id then
  data = data_of_entry(lane, entry_id)
end
if not data then
  return { -3 }
end
if entry_id and redis.call('EXISTS', lane) == 1 then
  -- A dead entry that is still there must not be taken for the new one's.
  retire_entry(lane, entry_id)
end
local history = state == 'active' and end_delivery(job, 'c', now_ms) or {}
disown(job, 'finished_at_ms', 'lease_until_ms', 'attempts', 'crashes', 'cancel_by', 'cancel_reason',
  'cancel_asked_at_ms', 'progress', 'progress_at_ms')
keep_created(job, entry_id)
wait_again(job, job_id, lanes, ARGV[3], lane, bell, data, unpack(history))
redis.call('ZREM', failed, job_id)
redis.call('ZREM', KEYS[9], job_id)
redis.call('HINCRBY', meta, 'reopened_total', 1)
record(events, ARGV[1], 'restarted', 'job_id', job_id, 'lane', ARGV[3], 'was', state, 'by', ARGV[6],
  'reason', ARGV[7])
return { 1 }
