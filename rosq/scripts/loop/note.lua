-- Keep with a running job what its handler says of its progress, what it logs, and until when it rests.
-- KEYS[1] job (HASH)
-- ARGV[1] fence   ARGV[2] token of the delivery   ARGV[3] progress (JSON), or '' leaves it as it is
-- ARGV[4] how long it rests, integer ms; '' : it works   ARGV[5] why it rests
-- ARGV[6] lines that are kept at most   ARGV[7] bytes of lines that are kept at most   ARGV[8..] lines, without a newline
-- Returns 1 kept, and, if its cancelling was asked for, by whom and why · 0 this delivery has settled it · -1 lease lost,
--   -2 no such job: nothing written
-- Replay: the lines stand there twice.
-- @include time
local job, fence, token = KEYS[1], ARGV[1], ARGV[2]
local ending
-- @include holder
if code ~= HELD then
  return { code }
end
local found = redis.call('HMGET', job, 'log', 'cancel_by', 'cancel_reason', 'rest')
if ARGV[4] ~= '' then
  -- With the fence: of another delivery it isn't true any more.
  redis.call('HSET', job, 'rest', ARGV[1] .. ' ' .. string.format('%.0f', now_ms + ARGV[4]) .. ' ' .. ARGV[5])
elseif found[4] then
  redis.call('HDEL', job, 'rest')
end
if ARGV[3] ~= '' then
  redis.call('HSET', job, 'progress', ARGV[3], 'progress_at_ms', now_ms)
end
if #ARGV > 7 then
  local stamp = string.format('%.0f ', now_ms)
  local text = stamp .. table.concat(ARGV, '\n' .. stamp, 8)
  if found[1] then
    text = found[1] .. '\n' .. text
  end
  -- The oldest lines go until it is few and short enough.
  local _, breaks = string.gsub(text, '\n', '\n')
  local first = 1
  while breaks >= tonumber(ARGV[6]) or #text - first >= tonumber(ARGV[7]) do
    local at = string.find(text, '\n', first, true)
    if not at then
      break
    end
    first, breaks = at + 1, breaks - 1
  end
  redis.call('HSET', job, 'log', string.sub(text, first))
end
if found[2] then
  return { HELD, found[2], found[3] or '' }
end
return { HELD }
