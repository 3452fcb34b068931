-- @include entry_id

-- Order of two stream ids: true if a comes after b.
local function is_after(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)%-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)%-(%d+)$')
  a_ms, a_seq, b_ms, b_seq = tonumber(a_ms), tonumber(a_seq), tonumber(b_ms), tonumber(b_seq)
  return a_ms > b_ms or (a_ms == b_ms and a_seq > b_seq)
end

-- The id of the last entry of a lane that was handed out; nil if its group doesn't exist (it will be created at 0).
local function last_delivered(lane)
  if redis.call('EXISTS', lane) == 0 then
    return nil
  end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', lane)) do
    local name, last
    for i = 1, #group, 2 do
      if group[i] == 'name' then
        name = group[i + 1]
      elseif group[i] == 'last-delivered-id' then
        last = group[i + 1]
      end
    end
    if name == 'workers' then
      return last
    end
  end
  return nil
end

-- Whether an error only says that a lane, or its group, isn't there yet.
local function is_without_group(failure)
  return string.find(failure.err, 'NOGROUP', 1, true) ~= nil
end

-- Whether an entry is in somebody's pending list.
local function is_pending(lane, entry_id)
  local pending = redis.pcall('XPENDING', lane, 'workers', entry_id, entry_id, 1)
  if pending.err then
    if is_without_group(pending) then
      return false
    end
    error(pending)
  end
  return pending[1] ~= nil
end

-- Whether an entry that is there will still be worked on: not handed out yet, or pending with someone. One that was
-- acknowledged without being deleted, or lost its consumer, is there and will never be read again.
-- last: what last_delivered says of the lane, or false. rosq/store/liveness.py has the same rule.
local function will_be_read(lane, entry_id, last)
  return not last or is_after(entry_id, last) or is_pending(lane, entry_id)
end

-- Whether an entry is there and will still be worked on.
local function is_entry_live(lane, entry_id)
  local is_there = to_entry_id(entry_id) and redis.call('XRANGE', lane, entry_id, entry_id)[1]
  return is_there and will_be_read(lane, entry_id, last_delivered(lane))
end

-- Whether a lane has an entry that was not handed out yet.
local function has_undelivered(lane)
  local newest = redis.call('XREVRANGE', lane, '+', '-', 'COUNT', 1)
  if not newest[1] then
    return false
  end
  local last = last_delivered(lane)
  return not last or is_after(newest[1][1], last)
end
