-- Note on a queue of an older rosq that it has this key schema from now on, before the first job of it is written: who
-- knows the older one only refuses the queue then.
-- KEYS[1] meta (HASH)
-- ARGV[1] key-schema version
-- Returns 1 noted · 0 it has this one, or a newer one: nothing written
-- Replay: answers 0.
local version = redis.call('HGET', KEYS[1], 'schema_version')
if version and version + 0 >= ARGV[1] + 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'schema_version', ARGV[1])
return 1
