-- @include time
-- @include entry
-- @include liveness
-- @include states
-- @include unreadable

-- What contradicts itself about a job or an entry: one judgement, for those who only look and for those who mend.
-- rosq/mend/half_states.py has the same kinds. A script sees one instant, and no other script stops midway, so what it finds
-- is real; the one exception is lease_without_worker, whose holder may be alive all the same.

local last_of, is_listed = {}, {}

-- An entry's job and data, or nil where there is no such entry.
local function read_entry(lane, entry_id)
  if not to_entry_id(entry_id) then
    return nil
  end
  local found = redis.call('XRANGE', lane, entry_id, entry_id)[1]
  if not found then
    return nil
  end
  local entry = {}
  for i = 1, #found[2], 2 do
    entry[found[2][i]] = found[2][i + 1]
  end
  return entry
end

-- What last_delivered says, asked once a lane: false where nothing was handed out.
local function last_delivered_once(lane)
  if last_of[lane] == nil then
    last_of[lane] = last_delivered(lane) or false
  end
  return last_of[lane]
end

-- Whether an entry was handed out, ever.
local function is_handed_out(lane, entry_id)
  local last = last_delivered_once(lane)
  return last and not is_after(entry_id, last)
end

-- How a job stands; nil where it isn't in the lane, or with the worker, that the caller saw: it has moved.
-- lane, hold: the keys that go with lane_name and worker_name, as locate_jobs tells them
-- is_quick: look into a sorted set only where the state says that the job is there. Whoever walks through the sets too
-- finds the other cases there.
local function look_at_job(job, job_id, delayed, lane, lane_name, hold, worker_name, is_quick)
  local found = redis.call('HMGET', job, 'state', 'lane', 'entry_id', 'data', 'lease_until_ms', 'token', 'worker',
    'finished_at_ms', 'crashes')
  if (found[2] or MAIN_LANE) ~= lane_name or (found[7] or '') ~= worker_name then
    return nil
  end
  local seen = { key = job, id = job_id, state = found[1], lane = lane, lane_name = lane_name, entry_id = found[3],
    data = found[4], has_data = found[4] and true or false, hold = hold, token = found[6] or '',
    finished_at_ms = found[8], crashes = to_whole(found[9]) or 0, is_quick = is_quick }
  seen.due_ms = (not is_quick or found[1] == 'delayed') and redis.call('ZSCORE', delayed, job_id)
  seen.is_there = found[1] or redis.call('EXISTS', job) == 1
  seen.is_running_or_will = found[1] == 'waiting' or found[1] == 'active' or found[1] == 'delayed'
  seen.has_lease = found[1] == 'active' and (to_ms(found[5]) or 0) > now_ms
  seen.mark = (found[6] or '') .. ':' .. (found[5] or '')
  if seen.is_running_or_will then
    local entry = read_entry(lane, found[3])
    seen.has_entry = entry ~= nil and entry.job_id == job_id
    if seen.has_entry then
      seen.data = seen.data or entry.data
      seen.is_entry_live = will_be_read(lane, found[3], last_delivered_once(lane))
    end
    if found[1] == 'delayed' then
      -- A time that no calendar has doesn't come.
      seen.is_dead = not (seen.due_ms and score_to_ms(seen.due_ms))
    else
      seen.is_dead = not seen.has_lease and not seen.is_entry_live
    end
  end
  return seen
end

-- The kinds of half-states that a job is in, as a set.
-- finished: the set of each finished state, by its name
local function judge_job(seen, finished, lanes)
  local kinds = {}
  local state, is_quick = seen.state, seen.is_quick
  local is_in_its_set, is_in_another = false, false
  for name, key in pairs(finished) do
    if name == state then
      is_in_its_set = redis.call('ZSCORE', key, seen.id)
    elseif not is_quick and redis.call('ZSCORE', key, seen.id) then
      is_in_another = true
    end
  end
  if seen.is_there and not STATES[state or ''] then
    return { malformed = true }
  end
  if is_in_another then
    kinds.stray_member = true
  end
  kinds.unreadable_field = list_unreadable(seen.key)[1] and true or nil
  if not seen.is_running_or_will then
    kinds.stray_due_time = seen.due_ms and true or nil
    local score = is_in_its_set and tonumber(is_in_its_set)
    if finished[state] and not (score and score >= 0 and score <= LAST_MS) then
      -- One with a time to live vanishes by itself.
      kinds.not_listed = redis.call('PTTL', seen.key) == -1 or nil
    end
    return kinds
  end
  local is_held = false
  if seen.has_lease then
    -- A delivery's token begins with that of its process's hold.
    local instance = redis.call('HGET', seen.hold, 'token')
    is_held = instance and string.sub(seen.token, 1, #instance) == instance
  end
  if not seen.data and not is_held then
    kinds.data_lost = true
  elseif seen.has_lease and not is_held then
    kinds.lease_without_worker = true
  elseif seen.is_dead then
    kinds[state == 'delayed' and 'no_due_time' or 'no_entry'] = true
  end
  if seen.due_ms and state ~= 'delayed' and not seen.is_dead then
    kinds.stray_due_time = true
  end
  if is_listed[seen.lane_name] == nil then
    is_listed[seen.lane_name] = redis.call('SISMEMBER', lanes, seen.lane_name) == 1
  end
  kinds.lane_not_listed = not is_listed[seen.lane_name] or nil
  return kinds
end

-- The kind of half-state that an entry is in, or nil; and what it carries. `seen` is its job, as look_at_job tells.
local function judge_entry(seen, lane, lane_name, entry_id)
  local entry = read_entry(lane, entry_id)
  if not entry then
    return is_pending(lane, entry_id) and 'vanished_entry' or nil, {}
  end
  if (entry.job_id or '') ~= seen.id then
    return nil, entry
  end
  if not seen.is_there then
    return 'entry_without_job', entry
  end
  local is_its_place = seen.lane_name == lane_name and seen.entry_id == entry_id
  local is_sound = is_its_place and (seen.state == 'waiting' or seen.state == 'active')
  if is_sound or not STATES[seen.state or ''] then
    return nil, entry
  end
  return 'stray_entry', entry
end
