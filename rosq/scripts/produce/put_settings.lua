-- Write down what a queue keeps, as a process gives it.
-- KEYS[1] meta (HASH)   KEYS[2] events (STREAM)
-- ARGV[1] the settings, a JSON object   ARGV[2] 1: only where none stand   ARGV[3] max events   ARGV[4] key-schema version
-- Returns 1 written · 0 they stand already, or, where that was asked for, others do: nothing written
-- Replay: answers 0.
-- Events settings_changed
-- @include event
local standing = redis.call('HGET', KEYS[1], 'settings')
if standing == ARGV[1] or standing and ARGV[2] == '1' then
  return 0
end
redis.call('HSETNX', KEYS[1], 'schema_version', ARGV[4])
redis.call('HSET', KEYS[1], 'settings', ARGV[1])
record(KEYS[2], ARGV[3], 'settings_changed', 'settings', ARGV[1], 'was', standing or '')
return 1
