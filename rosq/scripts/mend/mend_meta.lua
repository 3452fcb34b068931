-- Take out of a queue's meta what no script has written there, and let workers have given their last sign of life now
-- where theirs is at no time. A queue that was paused stays so, since now. What stood there is told by the event.
-- KEYS[1] meta (HASH)   KEYS[2] workers (ZSET)   KEYS[3] events (STREAM)
-- ARGV[1] max events   ARGV[2] key-schema version   ARGV[3] who   ARGV[4] why
-- Returns 1 mended · 0 there is nothing to be mended
-- Replay: answers 0.
-- Events repaired
-- @include time
-- @include event
-- @include unreadable_meta
local SHOWN_BYTES = 100
local told = {}
local bad = list_unreadable_meta(KEYS[1])
for i = 1, #bad, 2 do
  local name = bad[i]
  if name == 'paused_at_ms' then
    redis.call('HSET', KEYS[1], name, string.format('%.0f', now_ms))
  elseif name == 'schema_version' then
    redis.call('HSET', KEYS[1], name, ARGV[2])
  else
    redis.call('HDEL', KEYS[1], name)
  end
  told[#told + 1] = name .. ' ' .. string.sub(bad[i + 1], 1, SHOWN_BYTES)
end
local workers = list_unreadable_workers(KEYS[2])
for i = 1, #workers, 2 do
  redis.call('ZADD', KEYS[2], string.format('%.0f', now_ms), workers[i])
  told[#told + 1] = workers[i] .. ' ' .. workers[i + 1]
end
if not told[1] then
  return 0
end
record(KEYS[3], ARGV[1], 'repaired', 'kind', 'unreadable_meta', 'job_id', '', 'mend', 'removed', 'by', ARGV[3], 'reason',
  ARGV[4], 'held', table.concat(told, ' | '))
return 1
