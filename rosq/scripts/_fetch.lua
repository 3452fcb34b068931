-- @include _worker_args
-- @include _time
-- @include _ring
-- @include _liveness
-- @include _event
-- @include _crash

-- Make sure that the group exists in each of the lanes. At 0, never at $: what was queued before is read too.
local function ensure_groups(first)
  for i = first, #KEYS, 2 do
    local made = redis.pcall('XGROUP', 'CREATE', KEYS[i], 'workers', '0', 'MKSTREAM')
    if made.err and string.sub(made.err, 1, 9) ~= 'BUSYGROUP' then
      return made
    end
  end
  return nil
end

-- Turn an entry that is pending with the caller into a delivery of its own, with a greater fence and a new token.
-- Returns nil where nothing is to be worked on: the entry isn't its job's any more, or the job has crashed too often.
local function deliver(index, entry)
  local from, id, fields = KEYS[index], entry[1], entry[2]
  if not fields then
    -- Deleted while it was pending (6.2 keeps such entries in the list).
    redis.call('XACK', from, 'workers', id)
    return nil
  end
  local next_id, next_data
  for i = 1, #fields, 2 do
    if fields[i] == 'job_id' then
      next_id = fields[i + 1]
    elseif fields[i] == 'data' then
      next_data = fields[i + 1]
    end
  end
  local hash = job_prefix .. (next_id or '')
  local found = redis.call('HMGET', hash, 'entry_id', 'state', 'fence', 'crashes', 'attempts', 'instance', 'token',
    'data')
  if found[1] ~= id then
    retire_entry(from, id)
    record(events, max_events, 'dropped', 'job_id', next_id or '', 'entry_id', id)
    return nil
  end
  local crashes = tonumber(found[4] or '0')
  local changed = {}
  -- An active job that is pending here was not settled by whoever had it. The same process may have lost a reply,
  -- which is no crash; another process died; and one that let the job run too long is blamed as if it had.
  if found[2] == 'active' and (found[6] ~= instance or found[7] == overran) then
    crashes = crashes + 1
    if crashes >= max_crashes then
      fail_crashed(hash, next_id, from, id, failed, meta, events, max_events, next_data, crashes)
      return nil
    end
    changed = { 'crashes', crashes }
    record(events, max_events, 'crashed', 'job_id', next_id, 'crashes', crashes, 'worker', name)
  end
  local next_fence = string.format('%.0f', math.max(tonumber(found[3] or '0') + 1, now_us))
  redis.call('HSET', hash, 'state', 'active', 'fence', next_fence, 'token', next_token, 'worker', name,
    'instance', instance, 'lease_until_ms', string.format('%.0f', now_ms + lease_ms),
    'started_at_ms', string.format('%.0f', now_ms), unpack(changed))
  record(events, max_events, 'started', 'job_id', next_id, 'worker', name, 'fence', next_fence)
  return { index, id, next_id, next_data or found[8] or '', next_fence, found[5] or '0', crashes }
end

-- The caller's own pending job: its predecessor's, or one whose reply was lost.
local function fetch_own(first)
  local command = { 'GROUP', 'workers', name, 'COUNT', 1, 'STREAMS' }
  local count = 0
  for i = first, #KEYS, 2 do
    command[#command + 1] = KEYS[i]
    count = count + 1
  end
  for _ = 1, count do
    command[#command + 1] = '0'
  end
  local index_of = {}
  for i = first, #KEYS, 2 do
    index_of[KEYS[i]] = i
  end
  for _ = 1, 10 do
    local streams = redis.pcall('XREADGROUP', unpack(command))
    if streams and streams.err then
      -- One of the lanes was never read before: the others may hold the job all the same, so look again.
      if string.sub(streams.err, 1, 7) ~= 'NOGROUP' then
        error(streams.err)
      end
      local failure = ensure_groups(first)
      if failure then
        error(failure.err)
      end
    else
      local is_empty = true
      for _, stream in ipairs(streams or {}) do
        for _, entry in ipairs(stream[2]) do
          is_empty = false
          local delivery = deliver(index_of[stream[1]], entry)
          if delivery then
            return delivery
          end
        end
      end
      if is_empty then
        return nil
      end
    end
  end
  return nil
end

-- The next job of the lanes, in their order. COUNT 1: nobody holds a job that it isn't working on. A paused queue has
-- none; what the caller has already is its own to finish.
local function fetch_new(first)
  if redis.call('HEXISTS', meta, 'paused_at_ms') == 1 then
    return nil
  end
  for i = first, first + 2 * lanes_read - 2, 2 do
    for _ = 1, 10 do
      local streams = redis.call('XREADGROUP', 'GROUP', 'workers', name, 'COUNT', 1, 'STREAMS', KEYS[i], '>')
      if not streams then
        -- Nothing is left here: a token that still lies on the bell would only wake someone in vain.
        redis.call('DEL', KEYS[i + 1])
        break
      end
      local entry = streams[1][2][1]
      -- Whatever comes after an entry that was just handed out as new is new too.
      if redis.call('EXISTS', KEYS[i + 1]) == 0
          and redis.call('XRANGE', KEYS[i], '(' .. entry[1], '+', 'COUNT', 1)[1] then
        redis.call('RPUSH', KEYS[i + 1], '1')
      end
      local delivery = deliver(i, entry)
      if delivery then
        return delivery
      end
    end
  end
  return nil
end

-- Fetch the next job. The lanes and their bells stand at the end of KEYS, from `first` on, pair by pair: those that
-- are read, then those that may only hold the caller's own pending job.
-- Returns { code, 'skipped' } · { code, 'unheld' } the name isn't held by this process any more · { code, 'error',
-- text } · { code, 'none', now_ms, next_due_ms or '' } · { code, 'job', now_ms, next_due_ms or '', position of the
-- lane's key, entry id, job id, data, fence, attempts, crashes }
-- Touches hashes that KEYS can't declare, so it runs last and under pcall: an error leaves the settling done and
-- nothing fetched; an entry that was read by then is pending with the caller and comes with its next fetch.
local function fetch(code, first)
  if lanes_read < 0 then
    return { code, 'skipped' }
  end
  if redis.call('HGET', worker, 'token') ~= instance then
    return { code, 'unheld' }
  end
  local is_done, delivery = pcall(function()
    return #KEYS >= first and (fetch_own(first) or fetch_new(first)) or nil
  end)
  if not is_done then
    local text = type(delivery) == 'table' and delivery.err or tostring(delivery)
    return { code, 'error', text }
  end
  local due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  local result = { code, 'none', string.format('%.0f', now_ms), due[2] or '' }
  if delivery then
    result[2] = 'job'
    for _, value in ipairs(delivery) do
      result[#result + 1] = value
    end
    if due[1] then
      -- Whoever starts working no longer watches the time for the others.
      ring(timer_bell)
    end
    if has_slept then
      -- The token that woke the caller may have been for another lane than the one that it got a job from.
      for i = first, first + 2 * lanes_read - 2, 2 do
        if i ~= delivery[1] and has_undelivered(KEYS[i]) then
          ring(KEYS[i + 1])
        end
      end
    end
  end
  return result
end
