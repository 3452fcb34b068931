-- Remove a dead worker's consumers, once nothing is pending with it: XGROUP DELCONSUMER would lose a pending job for
-- ever.
-- KEYS[1] the hold (HASH)   KEYS[2] workers (ZSET)   then each lane (STREAM)
-- ARGV[1] name
-- Returns 1 forgotten · 0 it lives, or has a pending job: left alone
-- Replay: nothing is left to remove.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
for i = 3, #KEYS do
  local pending = redis.pcall('XPENDING', KEYS[i], 'workers', '-', '+', 1, ARGV[1])
  if pending.err then
    if string.sub(pending.err, 1, 7) ~= 'NOGROUP' then
      return pending
    end
  elseif pending[1] then
    return 0
  end
end
for i = 3, #KEYS do
  local removed = redis.pcall('XGROUP', 'DELCONSUMER', KEYS[i], 'workers', ARGV[1])
  if type(removed) == 'table' and removed.err and string.sub(removed.err, 1, 7) ~= 'NOGROUP'
      and not string.find(removed.err, 'requires the key to exist', 1, true) then
    return removed
  end
end
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
