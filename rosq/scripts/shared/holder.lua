-- @include time

-- Whether a delivery holds its job: `code`. Needs job, fence and token; and of a settle `ending`, what it makes of the
-- job: completed, failed, cancelled; released, retried, snoozed (as its event says). Nil for what settles nothing.
-- Fence and token decide, never a consumer's name: XCLAIM and XACK ask nobody. Nor does the clock: a lease says from when
-- on somebody else may take the job. Whoever takes it gives it another token, or none; as long as nobody did, a holder
-- whose lease ran out while the server was away settles what it has finished, and renews what it has in hand.
-- A delivery that is over knows how it ended by the job's state, or, where it put the job back, by what stands behind its
-- token: whoever settles a second time in another way, as the heartbeat and the loop of one process may, is told so.
-- rosq/scripts/loader.py has the same list of codes.
local HELD, ALREADY_SETTLED, LOST, GONE, SETTLED_OTHERWISE = 1, 0, -1, -2, -3
local code = HELD
do
  local found = redis.pcall('HMGET', job, 'state', 'fence', 'token')
  if found.err and string.sub(found.err, 1, 9) ~= 'WRONGTYPE' then
    return found
  elseif not found[1] then
    -- Nobody's, too, where something else wrote its key: whoever fetches it next fails it.
    code = GONE
  elseif found[2] ~= fence or found[3] ~= token then
    local last = found[2] == fence and found[3] or ''
    local way = string.sub(last, 1, #token + 1) == token .. '/' and string.sub(last, #token + 2)
    code = way and ((not ending or way == ending) and ALREADY_SETTLED or SETTLED_OTHERWISE) or LOST
  elseif found[1] ~= 'active' then
    code = (not ending or found[1] == ending) and ALREADY_SETTLED or SETTLED_OTHERWISE
  end
end
