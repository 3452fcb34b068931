-- Let a paused queue hand out jobs again. Tokens that rang during the pause were taken in vain: ring_on rings anew.
-- KEYS[1] meta (HASH)   KEYS[2] events (STREAM)
-- ARGV[1] max events   ARGV[2] who   ARGV[3] why
-- Returns 1 resumed · 0 it wasn't paused: nothing written
-- Replay: answers 0.
-- Events resumed
-- @include time
-- @include fields
-- @include event
local meta = KEYS[1]
local since_ms = redis.call('HGET', meta, 'paused_at_ms')
if not since_ms then
  return 0
end
redis.call('HDEL', meta, 'paused_by', 'paused_reason', 'paused_at_ms')
record(KEYS[2], ARGV[1], 'resumed', 'by', ARGV[2], 'reason', ARGV[3], 'paused_ms',
  string.format('%.0f', now_ms - (to_ms(since_ms) or now_ms)))
return 1
