-- Give up the hold on a worker's name, and wake a standby.
-- KEYS[1] the hold (HASH)   KEYS[2] workers (ZSET)   KEYS[3] the name's bell (LIST)   KEYS[4] events (STREAM)
-- ARGV[1] name   ARGV[2] token of this process's hold   ARGV[3] max events   ARGV[4] life of the name's token, integer
--   ms
-- Returns 1 given up · 0 it was another's or nobody's: left alone
-- Replay: answers 0.
-- Events worker_left
-- @include event
-- @include ring
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
ring(KEYS[3])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
record(KEYS[4], ARGV[3], 'worker_left', 'worker', ARGV[1])
return 1
