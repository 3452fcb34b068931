-- @include time

-- Whether a delivery holds its job: `code`. Needs job, fence and token.
-- Fence and token decide, never a consumer's name: XCLAIM and XACK ask nobody. A lease that has run out is lost even
-- while nobody took the job yet.
-- rosq/script.py has the same list of codes.
local HELD, ALREADY_SETTLED, LOST, GONE = 1, 0, -1, -2
local code = HELD
do
  local found = redis.call('HMGET', job, 'state', 'fence', 'token', 'lease_until_ms')
  if not found[1] then
    code = GONE
  elseif found[2] ~= fence or found[3] ~= token then
    code = LOST
  elseif found[1] ~= 'active' then
    code = ALREADY_SETTLED
  elseif found[4] + 0 <= now_ms then
    code = LOST
  end
end
