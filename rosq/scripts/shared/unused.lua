-- Whether a lane is of no use to anybody: it has no entry, nothing is pending, no job was put into it for so long, and
-- nobody has read it for as long. A stream's last id says when its last entry was added. One of another type is in use,
-- by another program.
local function is_unused(lane, unused_ms, now_ms)
  local kind = redis.call('TYPE', lane).ok
  if kind == 'none' then
    return true
  elseif kind ~= 'stream' or redis.call('XLEN', lane) > 0 then
    return false
  end
  local info = redis.call('XINFO', 'STREAM', lane)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' and tonumber(string.match(info[i + 1], '^%d+')) > now_ms - unused_ms then
      return false
    end
  end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', lane)) do
    local facts = {}
    for i = 1, #group, 2 do
      facts[group[i]] = group[i + 1]
    end
    if facts.pending > 0 then
      return false
    end
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', lane, facts.name)) do
      for i = 1, #consumer, 2 do
        if consumer[i] == 'idle' and consumer[i + 1] < unused_ms then
          return false
        end
      end
    end
  end
  return true
end
