-- @include ring
-- @include liveness

-- Ring the bells of whatever waits: each lane (pairs of lane and bell from KEYS[first] on), and the timer if jobs are
-- delayed.
local function ring_on(delayed, timer_bell, first)
  for i = first, #KEYS, 2 do
    if has_undelivered(KEYS[i]) then
      ring(KEYS[i + 1])
    end
  end
  if redis.call('EXISTS', delayed) == 1 then
    ring(timer_bell)
  end
end
