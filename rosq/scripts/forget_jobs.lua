-- Forget finished jobs whose time is over.
-- KEYS[1] completed or failed (ZSET)   then each job (HASH)
-- ARGV[1] finished before this, ms   then each job's id
-- Returns how many were forgotten; one that was finished later, or started again, is left alone.
-- Replay: nothing is left to forget.
local forgotten = 0
for i = 2, #KEYS do
  local finished_ms = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if finished_ms and tonumber(finished_ms) <= tonumber(ARGV[1]) then
    redis.call('DEL', KEYS[i])
    redis.call('ZREM', KEYS[1], ARGV[i])
    forgotten = forgotten + 1
  end
end
return forgotten
