-- Hold a worker's name exclusively, for a lease at a time.
-- KEYS[1] the hold (HASH, with time to live)   KEYS[2] workers by last sign of life (ZSET)   KEYS[3] events (STREAM)
-- KEYS[4] meta (HASH)
-- ARGV[1] name   ARGV[2] token of this process   ARGV[3] lease, integer ms   ARGV[4] host   ARGV[5] process id
-- ARGV[6] max events   ARGV[7] key-schema version   ARGV[8..] tokens of processes that are provably dead: whatever they had in hand
--   may be taken up at once (see rare.lua)
-- Returns 1 held · 0, rest of its holder's lease in ms, its host, its process id: nothing written
-- Replay: the process holds it already and answers 1.
-- Events worker_joined
-- @include time
-- @include event
local token = redis.call('HGET', KEYS[1], 'token')
local is_free = not token or token == ARGV[2]
for i = 8, #ARGV do
  is_free = is_free or token == ARGV[i]
end
if not is_free then
  local who = redis.call('HMGET', KEYS[1], 'host', 'pid')
  return { 0, redis.call('PTTL', KEYS[1]), who[1] or '', who[2] or '' }
end
redis.call('HSETNX', KEYS[4], 'schema_version', ARGV[7])
-- Over the last holder's fields, which are the same: a key that is deleted can't be made anew while its slot moves to
-- another node.
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'host', ARGV[4], 'pid', ARGV[5], 'lease_ms', ARGV[3],
  'held_since_ms', string.format('%.0f', now_ms), 'proven_dead',
  table.concat(ARGV, ' ', 8))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], string.format('%.0f', now_ms), ARGV[1])
if token ~= ARGV[2] then
  record(KEYS[3], ARGV[6], 'worker_joined', 'worker', ARGV[1], 'host', ARGV[4], 'pid', ARGV[5])
end
return { 1 }
