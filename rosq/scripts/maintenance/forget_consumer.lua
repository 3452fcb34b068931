-- Remove a dead worker's consumer from a lane, once nothing is pending with it: XGROUP DELCONSUMER would lose a pending
-- job for ever.
-- KEYS[1] the hold of its name (HASH)   KEYS[2] the lane (STREAM)
-- ARGV[1] name
-- Returns 1 removed · 0 it lives, or has a pending job: left alone. An error where the lane has no group.
-- Replay: nothing is left to remove.
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('XPENDING', KEYS[2], 'workers', '-', '+', 1, ARGV[1])[1] then
  return 0
end
redis.call('XGROUP', 'DELCONSUMER', KEYS[2], 'workers', ARGV[1])
return 1
