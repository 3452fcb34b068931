-- @include _time

-- Codes that settling and heartbeat answer; rosq/script.py has the same list.
local HELD = 1
local ALREADY_SETTLED = 0
local LOST = -1
local GONE = -2

-- Whether a delivery holds its job. Fence and token decide, never a consumer's name: XCLAIM and XACK ask nobody.
-- A lease that has run out is lost even while nobody took the job yet. Returns a code, and attempts and data of a held
-- job.
local function check_holder(job, fence, token)
  local found = redis.call('HMGET', job, 'state', 'fence', 'token', 'lease_until_ms', 'attempts', 'data')
  if not found[1] then
    return GONE
  end
  if found[2] ~= fence or found[3] ~= token then
    return LOST
  end
  if found[1] ~= 'active' then
    return ALREADY_SETTLED
  end
  if tonumber(found[4]) <= now_ms then
    return LOST
  end
  return HELD, tonumber(found[5] or '0'), found[6]
end
