-- Put a wake-up token on a bell that has none: one sleeper wakes, and rings on if it leaves more behind.
local function ring(bell)
  if redis.call('EXISTS', bell) == 0 then
    redis.call('RPUSH', bell, '1')
  end
end
