-- Forget finished jobs that an operator chose, many at a time, with one event for all of them.
-- KEYS[1] events (STREAM)   KEYS[2] completed, failed or cancelled (ZSET)   then each job (HASH)
-- ARGV[1] max events   ARGV[2] which of them   ARGV[3] finished until, ms   ARGV[4] who   ARGV[5] why
-- ARGV[6] how long ids are remembered, integer ms; 0 not at all   then each job's id
-- Returns how many were forgotten; one that finished later, or started again, is left alone. With long data fewer than
--   were named: the rest is for the next call.
-- Replay: nothing is left to forget, and no event is written.
-- Events forgotten
-- @include event
-- @include forget
local events, finished, until_ms = KEYS[1], KEYS[2], tonumber(ARGV[3])
local ids, hashes = {}, {}
for i = 3, #KEYS do
  local job_id = ARGV[4 + i]
  local finished_ms = redis.call('ZSCORE', finished, job_id)
  if finished_ms and tonumber(finished_ms) <= until_ms then
    ids[#ids + 1], hashes[#hashes + 1] = job_id, KEYS[i]
  end
end
local forgotten = ids[1] and forget_finished(finished, ids, hashes, tonumber(ARGV[6])) or 0
if type(forgotten) == 'table' then
  return forgotten
end
if forgotten > 0 then
  record(events, ARGV[1], 'forgotten', 'state', ARGV[2], 'count', forgotten, 'by', ARGV[4], 'reason', ARGV[5])
end
return forgotten
