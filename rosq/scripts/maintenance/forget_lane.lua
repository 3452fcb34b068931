-- Remove a lane that is of no use to anybody: its stream with the group, its bell and its name. Who puts a job there
-- lists it again, and who reads it makes the group anew.
-- KEYS[1] names of lanes (SET)   KEYS[2] the lane (STREAM)   KEYS[3] its bell (LIST)
-- ARGV[1] its name   ARGV[2] how long it must have been so, integer ms
-- Returns 1 removed · 0 somebody uses it: left alone
-- Replay: answers 1 again, or 0 where somebody uses it by then.
-- @include time
-- @include unused
if not is_unused(KEYS[2], tonumber(ARGV[2]), now_ms) then
  return 0
end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('SREM', KEYS[1], ARGV[1])
return 1
