-- @include time

-- Whether a delivery holds its job: `code`. Needs job, fence and token.
-- Fence and token decide, never a consumer's name: XCLAIM and XACK ask nobody. Nor does the clock: a lease says from when
-- on somebody else may take the job. Whoever takes it gives it another token, or none; as long as nobody did, a holder
-- whose lease ran out while the server was away settles what it has finished, and renews what it has in hand.
-- rosq/script.py has the same list of codes.
local HELD, ALREADY_SETTLED, LOST, GONE = 1, 0, -1, -2
local code = HELD
do
  local found = redis.call('HMGET', job, 'state', 'fence', 'token')
  if not found[1] then
    code = GONE
  elseif found[2] ~= fence or found[3] ~= token then
    code = LOST
  elseif found[1] ~= 'active' then
    code = ALREADY_SETTLED
  end
end
