-- Renew the hold on the worker's name, and the lease of the job in hand.
-- KEYS[1] the hold (HASH)   KEYS[2] workers by last sign of life (ZSET)   with a job: KEYS[3] job (HASH), KEYS[4] lane
--   (STREAM)
-- ARGV[1] name   ARGV[2] token of this process's hold   ARGV[3] lease, integer ms
-- with a job: ARGV[4] fence   ARGV[5] token of the delivery   ARGV[6] entry's id
-- Returns whether the name is held (1 or 0), and for the job: 1 renewed · 0 settled already · -1 lease lost, -2 no
-- such job; 1 where there is none; then, of a renewed job whose cancelling was asked for, by whom and why. A lost name
-- is not taken again here: whoever takes it has to tell the outside.
-- Replay: renews once more.
-- @include time
local is_held = 0
-- What something else wrote in the place of the hold, of the list of workers or of the lane costs nobody his lease: the
-- doctor names it, and the loop meets it by itself.
if redis.pcall('HGET', KEYS[1], 'token') == ARGV[2] then
  is_held = 1
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.pcall('ZADD', KEYS[2], string.format('%.0f', now_ms), ARGV[1])
end
if not KEYS[3] then
  return { is_held, 1 }
end
local job, fence, token = KEYS[3], ARGV[4], ARGV[5]
local ending
-- @include holder
if code == HELD then
  redis.call('HSET', job, 'lease_until_ms', string.format('%.0f', now_ms + tonumber(ARGV[3])))
  -- JUSTID resets the idle time by which abandoned entries are found; it brings the entry back from a recovery under
  -- way.
  redis.pcall('XCLAIM', KEYS[4], 'workers', ARGV[1], 0, ARGV[6], 'JUSTID')
  local asked = redis.call('HMGET', job, 'cancel_by', 'cancel_reason')
  if asked[1] then
    return { is_held, code, asked[1], asked[2] or '' }
  end
end
return { is_held, code }
