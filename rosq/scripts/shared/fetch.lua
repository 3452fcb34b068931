-- Fetch the next job and answer: the end of every script of the read loop. Needs `code` (of the settling; 1 where there
-- was none), `first_lane` (where the lanes begin in KEYS), `job` (the settled one, the last of KEYS, or nil), `told` (the
-- event of the settling, or nil) with `job_id`, `fence` and `details` (the event's own fields; nil where there are none, and this time the stream need not be
-- trimmed), and `finished`, `keep` and `keep_ms` (the finished jobs to be trimmed, and to what, or nil; that with
-- `job_id` stays).
-- Returns { code, -1 } nothing was asked for · { code, -2 } the name isn't held by this process any more · { code, -3,
-- text } an error · { code, -4, rest_ms } a process that had the name before has its job still, for so long if it gives no
-- sign of life · { code, 0, now_ms, next_due_ms or '' } no job is there · { code, position of the lane's key, job id,
-- data, fence, attempts, crashes, entry id, and with hint d now_ms, next_due_ms or '' } a job
-- Touches hashes that KEYS can't declare, so it runs last and under pcall: an error leaves the settling done and
-- nothing fetched; an entry that was read by then is pending with the caller and comes with its next fetch.
-- The functions here are given what they work with, or take it from KEYS and ARGV: a local of the script that a function
-- refers to costs the server half as much as an argument of a command.
-- @include number
-- @include rare

-- Turn an entry that is pending with the caller into a delivery of its own, with a greater fence and a new token.
-- Returns nil where nothing is to be worked on: the entry isn't its job's any more, or the job has crashed too often, or was
-- called off.
local function deliver(make_rare, index, entry, code, now_us, now_ms)
  local from, id, fields = KEYS[index], entry[1], entry[2]
  if not fields or fields[1] ~= 'job_id' then
    make_rare(now_ms).drop(from, id, '')
    return nil
  end
  local next_id, carried = fields[2], fields[4]
  local hash = string.sub(KEYS[2], 1, -7) .. 'job:' .. next_id
  local found
  if carried then
    found = redis.pcall('HMGET', hash, 'entry_id', 'state', 'fence')
  else
    found = redis.pcall('HMGET', hash, 'entry_id', 'state', 'fence', 'data')
  end
  if found.err then
    if string.sub(found.err, 1, 9) ~= 'WRONGTYPE' then
      error(found)
    end
    make_rare(now_ms).fail_foreign(hash, next_id, from, id, carried)
    return nil
  end
  local is_its_own = found[1] == id and (found[2] == 'waiting' or found[2] == 'active')
  if not is_its_own or not (carried or found[4]) then
    make_rare(now_ms).set_aside(hash, next_id, from, id, is_its_own)
    return nil
  end
  local last_fence = found[3]
  if not last_fence then
    -- It was never handed out, so it has no attempts, no crashes and no last delivery to be told from; and when this one
    -- begins, its fence says.
    if carried then
      -- From here on the data lie in the hash: whatever becomes of the entry, they are there.
      redis.call('HSET', hash, 'state', 'active', 'fence', now_us, 'token', ARGV[3], 'worker', ARGV[1],
        'lease_until_ms', now_ms + LEASE_MS, 'data', carried)
    else
      redis.call('HSET', hash, 'state', 'active', 'fence', now_us, 'token', ARGV[3], 'worker', ARGV[1],
        'lease_until_ms', now_ms + LEASE_MS)
    end
    return { code, index, next_id, carried or found[4], now_us, 0, 0, id }
  end
  local counts = redis.call('HMGET', hash, 'attempts', 'crashes')
  local attempts, crashes = (to_whole(counts[1]) or 0), (to_whole(counts[2]) or 0)
  -- An active job that is pending here was not settled by whoever had it. The same process may have lost a reply,
  -- which is no crash; another process died; and one that let the job run too long is blamed as if it had.
  -- One whose cancelling was asked for meanwhile isn't handed out again.
  if found[2] == 'active' then
    local rare = make_rare(now_ms)
    local is_repeated = rare.is_repeated(hash)
    if rare.cancel_if_asked(hash, next_id, from, id) then
      return nil
    end
    if is_repeated then
      rare.keep_repeated(hash)
    else
      crashes = rare.count_crash(hash, next_id, from, id, crashes)
      if not crashes then
        return nil
      end
    end
  end
  local next_fence = math.max((to_whole(last_fence) or 0) + 1, now_us)
  if carried then
    redis.call('HSET', hash, 'data', carried)
  end
  redis.call('HSET', hash, 'state', 'active', 'fence', next_fence, 'token', ARGV[3], 'worker', ARGV[1],
    'lease_until_ms', now_ms + LEASE_MS, 'started_at_ms', now_ms)
  return { code, index, next_id, carried or found[4], next_fence, attempts, crashes, id }
end

-- Whoever has just settled its only pending entry has none: only where that isn't sure its own is looked for. Then the
-- lanes in their order, COUNT 1: nobody holds a job that it isn't working on. A paused queue has none; what the caller
-- has already is its own to finish. Who looked a moment ago, and has just settled the job that it had, is spared that
-- look: once nothing is active after a pause, nothing becomes active.
local function look_for_job(make_rare, deliver, code, first_lane, bare, last_lane, now_us, now_ms)
  local own = nil
  if code ~= 1 or bare <= last_lane then
    own = make_rare(now_ms).fetch_own(code == 1 and bare or first_lane, bare, last_lane, function(index, entry)
      return deliver(make_rare, index, entry, code, now_us, now_ms)
    end)
  end
  if own or (code ~= 1 or ARGV[4] ~= '') and redis.call('HEXISTS', KEYS[3], 'paused_at_ms') == 1 then
    return own
  end
  for i = first_lane, bare - 2, 2 do
    for _ = 1, 10 do
      local streams = redis.pcall('XREADGROUP', 'GROUP', 'workers', ARGV[1], 'COUNT', 1, 'STREAMS', KEYS[i], '>')
      if not streams then
        -- Nothing is left here: a token that still lies on the bell would only wake someone in vain.
        redis.call('DEL', KEYS[i + 1])
        break
      elseif streams.err then
        make_rare(now_ms).ensure_group(KEYS[i], streams)
      else
        local delivery = deliver(make_rare, i, streams[1][2][1], code, now_us, now_ms)
        if delivery then
          return delivery
        end
      end
    end
  end
  return nil
end

local result, delivery
-- The last lane of KEYS, and the first of those without a bell, which are mostly none.
local last_lane = job and #keys - 1 or #keys
local bare = last_lane + 1
if hints ~= '' then
  bare = bare - (tonumber(string.match(hints, '^%a*(%d+)')) or 0)
end
if hints ~= '' and string.find(hints, '^%a*n') then
  result = { code, -1 }
elseif redis.call('HGET', worker, 'token') ~= instance then
  result = { code, -2 }
else
  local is_done, found = pcall(look_for_job, make_rare, deliver, code, first_lane, bare, last_lane, now_us, now_ms)
  if is_done then
    delivery = found
  elseif type(found) == 'table' and found.rest_ms then
    result = { code, -4, found.rest_ms }
  else
    result = { code, -3, type(found) == 'table' and found.err or tostring(found) }
  end
end

if delivery and details then
  -- Two changes of one call are one entry of the event stream.
  redis.call('XADD', events, 'MAXLEN', '~', MAX_EVENTS, '*', 'next', delivery[3], 'next_fence', delivery[5],
    'event', told, 'job_id', job_id, 'worker', name, 'fence', fence, unpack(details))
elseif delivery and told then
  redis.call('XADD', events, '*', 'next', delivery[3], 'next_fence', delivery[5], 'event', told, 'job_id', job_id,
    'worker', name, 'fence', fence)
elseif delivery then
  redis.call('XADD', events, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', 'started', 'job_id', delivery[3],
    'worker', name, 'fence', delivery[5])
elseif told then
  redis.call('XADD', events, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', told, 'job_id', job_id, 'worker', name,
    'fence', fence, unpack(details or {}))
end
if delivery and hints == '' then
  return delivery
end

if not result then
  local due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  result = delivery or { code, 0 }
  result[#result + 1], result[#result + 2] = now_ms, due[2] or ''
  if delivery and due[1] and redis.call('EXISTS', timer_bell) == 0 then
    -- Whoever starts working no longer watches the time for the others.
    redis.call('RPUSH', timer_bell, '1')
  end
  if delivery and string.find(hints, '^%a*s') then
    -- The token that woke the caller is gone: wake another sleeper where there is more.
    local taken, is_read = delivery[2], delivery[2] < bare
    if is_read and redis.call('XRANGE', KEYS[taken], '(' .. delivery[8], '+', 'COUNT', 1)[1]
        and redis.call('EXISTS', KEYS[taken + 1]) == 0 then
      redis.call('RPUSH', KEYS[taken + 1], '1')
    end
    if bare - first_lane > 2 or not is_read then
      make_rare(now_ms).ring_others(first_lane, bare, taken)
    end
  end
end
if finished and string.find(hints, '^%a*t') then
  pcall(make_rare(now_ms).trim, finished, keep, keep_ms, job_id)
end
return result
