-- @include time
-- @include worker_args
-- @include settle_args
-- @include holder
-- @include entry
-- @include delay
-- @include finish
-- @include history
-- Put-back scripts get besides:
-- KEYS[8] lane that the job goes to (STREAM)   KEYS[9] its bell (LIST)   KEYS[10] names of lanes (SET)
-- KEYS[11] cancelled (ZSET)
-- ARGV[9] that lane's name

-- What a settling answers that ended otherwise than it was meant; rosq/scripts/loader.py has it too. Told again it
-- answers the same.
local CANCELLED = 2
if code == SETTLED_OTHERWISE and redis.call('HGET', job, 'state') == 'cancelled' then
  code = CANCELLED
end

-- Whether the cancelling of the held job was asked for while it ran: then it isn't put back, it has ended here.
-- error, trace: for the history, see end_delivery; ... further fields of the hash, which come before those of it
local function cancel_if_asked(error, trace, ...)
  local asked = redis.call('HMGET', job, 'cancel_by', 'cancel_reason')
  if not asked[1] then
    return false
  end
  local by, reason = asked[1], asked[2] or ''
  local fields = { ... }
  for _, value in ipairs(end_delivery(job, 'x', now_ms, error, trace)) do
    fields[#fields + 1] = value
  end
  finish_cancelled(job, job_id, lane, entry_id, KEYS[11], meta, true, unpack(fields))
  code = CANCELLED
  told, details = 'cancelled', { 'by', by, 'reason', reason }
  return true
end

-- Put the held job back: into the target lane, or, with a delay, among the delayed ones. `crashes` goes back to 0.
-- ... further fields of the hash. Returns when it is due, in ms, as text.
local function put_back(delay_ms, ...)
  local target_name, due_ms = ARGV[9], now_ms + delay_ms
  keep_created(job, entry_id)
  redis.call('HDEL', job, 'lease_until_ms', 'crashes', 'entry_id')
  retire_entry(lane, entry_id)
  if delay_ms > 0 then
    redis.call('SADD', KEYS[10], target_name)
    redis.call('HSET', job, 'state', 'delayed', 'lane', target_name, 'token', token .. '/' .. ending, ...)
    add_delayed(delayed, timer_bell, job_id, due_ms)
  else
    local data = redis.call('HGET', job, 'data')
    wait_again(job, job_id, KEYS[10], target_name, KEYS[8], KEYS[9], data, 'lane', target_name, 'token',
      token .. '/' .. ending, ...)
  end
  return string.format('%.0f', due_ms)
end
