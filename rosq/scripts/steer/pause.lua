-- Pause a queue: nothing new is handed out, running jobs finish.
-- KEYS[1] meta (HASH)   KEYS[2] events (STREAM)
-- ARGV[1] max events   ARGV[2] key-schema version   ARGV[3] who   ARGV[4] why
-- Returns 1 paused · 0, who, why and since when in ms, if it was already: nothing written
-- Replay: answers 0 and tells of itself.
-- Events paused
-- @include time
-- @include event
local meta = KEYS[1]
local found = redis.call('HMGET', meta, 'paused_by', 'paused_reason', 'paused_at_ms')
if found[3] then
  return { 0, found[1] or '', found[2] or '', found[3] }
end
redis.call('HSETNX', meta, 'schema_version', ARGV[2])
redis.call('HSET', meta, 'paused_by', ARGV[3], 'paused_reason', ARGV[4], 'paused_at_ms',
  string.format('%.0f', now_ms))
record(KEYS[2], ARGV[1], 'paused', 'by', ARGV[3], 'reason', ARGV[4])
return { 1 }
