-- Note on a queue of an older rosq that it has this key schema from now on, before the first job of it is written: who
-- knows the older one only refuses the queue then. Not while a worker of an older one is at work there.
-- KEYS[1] meta (HASH)   KEYS[2..] the hold of each worker (HASH)
-- ARGV[1] key-schema version
-- Returns 0 it has this one now, or a newer one · else the number of the first hold of an older rosq: nothing written
-- Replay: answers the same, and writes nothing more.
local version = redis.call('HGET', KEYS[1], 'schema_version')
if version and version + 0 >= ARGV[1] + 0 then
  return 0
end
for i = 2, #KEYS do
  local hold = redis.call('HMGET', KEYS[i], 'token', 'schema_version')
  if hold[1] and (hold[2] or 1) + 0 < ARGV[1] + 0 then
    return i - 1
  end
end
redis.call('HSET', KEYS[1], 'schema_version', ARGV[1])
return 0
