-- @include ring

-- Put a job among the delayed ones; if it is the earliest now, wake a sleeper, who then sleeps no longer than to its
-- time.
local function add_delayed(delayed, timer_bell, job_id, due_ms)
  redis.call('ZADD', delayed, string.format('%.0f', due_ms), job_id)
  if redis.call('ZRANGE', delayed, 0, 0)[1] == job_id then
    ring(timer_bell)
  end
end
