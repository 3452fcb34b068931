-- Forget finished jobs whose time is over; their ids go on counting as duplicates for a while.
-- KEYS[1] completed, failed or cancelled (ZSET)   then each job (HASH)
-- ARGV[1] finished before this, ms   ARGV[2] how long an id is remembered, integer ms; 0 not at all   then each job's id
-- Returns how many were forgotten; one that was finished later, or started again, is left alone. With long data fewer
--   than were named: the rest is for the next call.
-- Replay: nothing is left to forget.
-- @include forget
local ids, hashes = {}, {}
for i = 2, #KEYS do
  local finished_ms = redis.call('ZSCORE', KEYS[1], ARGV[i + 1])
  if finished_ms and tonumber(finished_ms) <= tonumber(ARGV[1]) then
    ids[#ids + 1], hashes[#hashes + 1] = ARGV[i + 1], KEYS[i]
  end
end
return ids[1] and forget_finished(KEYS[1], ids, hashes, tonumber(ARGV[2])) or 0
