-- What a fetch needs now and then. All of it stands in one function, so that it is made only when it is needed: such
-- functions, and what they refer to, cost the server more than a command each.
local function make_rare(now_ms)
  local events, meta, failed, name = KEYS[2], KEYS[3], KEYS[6], ARGV[1]
  -- @include event
  -- @include entry
  -- @include finish
  -- @include history
  -- @include lost
  -- @include liveness
  -- @include trim
  -- @include foreign_job
  local rare = { overran = string.match(ARGV[4], ':(.*)$') }

  -- An entry that isn't its job's any more, or was deleted while it was pending (6.2 keeps such in the list).
  function rare.drop(from, id, next_id)
    retire_entry(from, id)
    record(events, MAX_EVENTS, 'dropped', 'job_id', next_id, 'entry_id', id)
  end

  -- An entry whose job's key is of another type.
  function rare.fail_foreign(hash, next_id, from, id, data)
    fail_foreign_job(events, MAX_EVENTS, meta, failed, hash, next_id, from, id, string.sub(from, #events), data)
  end

  -- An entry that can't be handed out: a leftover is dropped, and a job without data fails, saying so.
  function rare.set_aside(hash, next_id, from, id, is_its_own)
    if not is_its_own then
      rare.drop(from, id, next_id)
      return
    end
    local reason = 'Its data are lost: put it on the queue anew, with reopen.'
    finish(hash, next_id, from, id, failed, 'failed', false, 'last_error', reason)
    redis.call('HINCRBY', meta, 'failed_total', 1)
    record(events, MAX_EVENTS, 'failed', 'job_id', next_id, 'error', reason)
  end

  -- Count a crash of a job that its holder lost, and that the caller takes up at once: there is no pause. Returns the
  -- count; nil if that was once too often, and it has failed.
  function rare.count_crash(hash, next_id, from, id, crashes)
    local count = count_crash(hash, next_id, from, id, crashes, MAX_CRASHES, failed, meta, events, MAX_EVENTS)
    if count then
      record(events, MAX_EVENTS, 'crashed', 'job_id', next_id, 'crashes', count, 'worker', name)
    end
    return count
  end

  -- Whether this very process had an active job that is pending with the caller, and lost the answer; false where it is
  -- taken from one that lost it: it overran, its lease ran out, or it is proven dead. While another process has it,
  -- which had this name before, nothing at all is handed out under the name: whoever calls gets an error with how long
  -- that one's lease stands.
  function rare.is_repeated(hash)
    local found = redis.call('HMGET', hash, 'token', 'lease_until_ms')
    local token = found[1] or ''
    local instance = string.match(token, '^[^:]*')
    if instance == ARGV[2] then
      return token ~= rare.overran
    end
    local rest_ms = (to_whole(found[2]) or 0) - now_ms
    local proven_dead = ' ' .. (redis.call('HGET', KEYS[1], 'proven_dead') or '') .. ' '
    if instance ~= '' and rest_ms > 0 and not string.find(proven_dead, ' ' .. instance .. ' ', 1, true) then
      error({ rest_ms = rest_ms })
    end
    return false
  end

  -- A job that is handed to the same process anew, since an answer was lost: keep what its last delivery was.
  function rare.keep_repeated(hash)
    local kept = end_delivery(hash, 'p', now_ms)
    if kept[1] then
      redis.call('HSET', hash, unpack(kept))
    end
  end

  -- A job whose cancelling was asked for while it ran, and whose holder didn't settle it: true if that ended it here.
  function rare.cancel_if_asked(hash, next_id, from, id)
    return cancel_lost(hash, next_id, from, id, string.sub(events, 1, -7) .. 'cancelled', meta, events, MAX_EVENTS)
  end

  -- Make a lane's group, where a read said that there is none. At 0, never at $: what was queued before is read too.
  function rare.ensure_group(from, failure)
    if not is_without_group(failure) then
      error(failure)
    end
    local made = redis.pcall('XGROUP', 'CREATE', from, 'workers', '0', 'MKSTREAM')
    if made.err and string.sub(made.err, 1, 9) ~= 'BUSYGROUP' then
      error(made)
    end
    -- Whoever makes a lane lists it: else nobody would find it to remove it.
    local prefix = string.sub(events, 1, -7)
    redis.call('SADD', prefix .. 'lanes', string.sub(from, #prefix + 6))
  end

  -- The caller's own pending job: its predecessor's, or one whose reply was lost. Lanes with bells stand at KEYS[first]
  -- and every second one after it, those without from KEYS[bare] to KEYS[last].
  function rare.fetch_own(first, bare, last, deliver)
    local indexes = {}
    for i = first, bare - 1, 2 do
      indexes[#indexes + 1] = i
    end
    for i = bare, last do
      indexes[#indexes + 1] = i
    end
    for _, index in ipairs(indexes) do
      for _ = 1, 10 do
        local streams = redis.pcall('XREADGROUP', 'GROUP', 'workers', name, 'COUNT', 1, 'STREAMS', KEYS[index], '0')
        if streams and streams.err then
          rare.ensure_group(KEYS[index], streams)
        else
          local entry = streams and streams[1] and streams[1][2][1]
          if not entry then
            break
          end
          local delivery = deliver(index, entry)
          if delivery then
            return delivery
          end
        end
      end
    end
    return nil
  end

  -- Wake another sleeper where another lane has more: the token that woke the caller may have been for that one.
  function rare.ring_others(first, bare, taken)
    for i = first, bare - 2, 2 do
      if i ~= taken and has_undelivered(KEYS[i]) then
        ring(KEYS[i + 1])
      end
    end
  end

  -- Forget the oldest finished jobs, of what is kept in the way of the settling.
  function rare.trim(finished, keep, keep_ms, settled_id)
    trim_finished(events, finished, keep, keep_ms, settled_id, now_ms)
  end

  return rare
end
