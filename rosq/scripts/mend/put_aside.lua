-- Give a key another name, since something else wrote it.
-- KEYS[1] the key (any type)   KEYS[2] its new name   KEYS[3] events (STREAM)
-- ARGV[1] max events   ARGV[2] the type that it should have: where it has that it is left alone
--   ARGV[3] who   ARGV[4] why   ARGV[5] '1' for a job's key, which is left alone where it is a hash with a state
-- Returns 1 put aside · 0 the new name is taken: nothing written · -1 there is nothing to be put aside
-- Replay: answers -1.
-- Events put_aside, unless the events themselves are the key
-- @include event
-- @include states
local found = redis.call('TYPE', KEYS[1]).ok
local is_right = found == ARGV[2]
if is_right and ARGV[5] == '1' then
  is_right = STATES[redis.call('HGET', KEYS[1], 'state') or '']
end
if found == 'none' or is_right then
  return -1
end
if redis.call('RENAMENX', KEYS[1], KEYS[2]) == 0 then
  return 0
end
if redis.call('TYPE', KEYS[3]).ok == 'stream' or redis.call('EXISTS', KEYS[3]) == 0 then
  record(KEYS[3], ARGV[1], 'put_aside', 'key', KEYS[1], 'as', KEYS[2], 'type', found, 'by', ARGV[3], 'reason', ARGV[4])
end
return 1
