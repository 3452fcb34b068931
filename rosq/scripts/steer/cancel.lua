-- Cancel a job: at once where nobody works on it, else by asking its holder.
-- KEYS[1] events (STREAM)   KEYS[2] meta (HASH)   KEYS[3] delayed (ZSET)   KEYS[4] cancelled (ZSET)   KEYS[5] job (HASH)
-- KEYS[6] its lane as the caller saw it (STREAM)
-- ARGV[1] max events   ARGV[2] job id   ARGV[3] the lane's name   ARGV[4] state that the caller saw, or '' for any
-- ARGV[5] who   ARGV[6] why
-- Returns 1 cancelled · 2 asked, since it runs: by this call or an earlier one, whose who and why stand · 0 and its
--   state: it is over, or isn't as it was seen · -1 it has moved to another lane · -2 no such job. Nothing is written
--   but by 1 and 2.
-- Replay: answers 0 where it answered 1, and 2 again.
-- Constants KEEP_CANCELLED, KEEP_CANCELLED_MS, REMEMBER_MS
-- Touches hashes of old jobs that KEYS can't declare, last and under pcall.
-- Events cancelled, cancel_asked
-- @include time
-- @include fields
-- @include event
-- @include finish
-- @include trim
local events, delayed, job, lane, job_id, by, reason = KEYS[1], KEYS[3], KEYS[5], KEYS[6], ARGV[2], ARGV[5], ARGV[6]
if redis.call('TYPE', job).ok ~= 'hash' and redis.call('EXISTS', job) == 1 then
  return { 0, 'unreadable' }
end
local found = redis.call('HMGET', job, 'state', 'lane', 'entry_id', 'lease_until_ms', 'cancel_by', 'worker', 'data')
local state, entry_id, data = found[1], found[3], found[7]
if not state then
  return { -2 }
end
if (found[2] or MAIN_LANE) ~= ARGV[3] then
  return { -1 }
end
if (state ~= 'waiting' and state ~= 'delayed' and state ~= 'active') or (ARGV[4] ~= '' and ARGV[4] ~= state) then
  return { 0, state }
end

if state == 'active' and (to_ms(found[4]) or 0) > now_ms then
  if not found[5] then
    redis.call('HSET', job, 'cancel_by', by, 'cancel_reason', reason, 'cancel_asked_at_ms', now_ms)
    record(events, ARGV[1], 'cancel_asked', 'job_id', job_id, 'worker', found[6] or '', 'by', by, 'reason', reason)
  end
  return { 2 }
end

-- Nobody has it in hand: a lease that has run out is lost, whoever may still believe in it.
if not data and entry_id then
  data = data_of_entry(lane, entry_id)
end
-- A request that came while it ran stands.
redis.call('HSETNX', job, 'cancel_by', by)
redis.call('HSETNX', job, 'cancel_reason', reason)
redis.call('HSETNX', job, 'cancel_asked_at_ms', now_ms)
-- Its entry goes, and the data with it: an operator may start it again.
finish_cancelled(job, job_id, lane, entry_id, KEYS[4], KEYS[2], false,
  unpack(data and { 'data', data } or {}))
if state == 'active' then
  disown(job)
end
redis.call('ZREM', delayed, job_id)
record(events, ARGV[1], 'cancelled', 'job_id', job_id, 'was', state, 'lane', ARGV[3], 'worker',
  state == 'active' and found[6] or '', 'by', by, 'reason', reason)
-- Whoever adds takes away: no rate of cancelling makes more of them than are kept.
pcall(trim_finished, events, KEYS[4], KEEP_CANCELLED, KEEP_CANCELLED_MS, job_id, now_ms)
return { 1 }
