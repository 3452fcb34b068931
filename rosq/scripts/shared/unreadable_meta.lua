-- @include fields

-- Fields of a queue's meta that hold something that no script of ours has written, and what they hold, in pairs.
local function list_unreadable_meta(meta)
  local found, bad = redis.call('HGETALL', meta), {}
  for i = 1, #found, 2 do
    local name, text = found[i], found[i + 1]
    local is_count = string.find(name, '_total$') or name == 'schema_version'
    local is_bad = is_count and not to_whole(text) or name == 'paused_at_ms' and not to_ms(text)
    if name == 'settings' then
      -- What they say is for QueueSettings to judge; that they are an object is what a script can see.
      local is_read, settings = pcall(cjson.decode, text)
      is_bad = not is_read or type(settings) ~= 'table'
    end
    if is_bad then
      bad[#bad + 1], bad[#bad + 2] = name, text
    end
  end
  return bad
end

-- Workers whose last sign of life is at no time that a calendar has, a hundred at most, each with that.
local function list_unreadable_workers(workers)
  local ahead = redis.call('ZRANGEBYSCORE', workers, '(' .. string.format('%.0f', LAST_MS), '+inf', 'WITHSCORES',
    'LIMIT', 0, 100)
  for _, each in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', '(0', 'WITHSCORES', 'LIMIT', 0, 100)) do
    ahead[#ahead + 1] = each
  end
  return ahead
end
