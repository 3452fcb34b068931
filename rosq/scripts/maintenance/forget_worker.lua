-- Take a dead worker's name off the list.
-- KEYS[1] the hold (HASH)   KEYS[2] workers (ZSET)
-- ARGV[1] name   ARGV[2] last sign of life until, ms
-- Returns 1 forgotten · 0 it lives, or isn't listed: left alone
-- Replay: answers 0.
local seen_ms = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not seen_ms or tonumber(seen_ms) > tonumber(ARGV[2]) or redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
