-- @include _time
-- @include _worker_args

-- Forget the oldest finished jobs beyond what is kept, at most two a call. Their hashes can't be declared: last, under
-- pcall.
local function trim(finished, keep, keep_ms)
  pcall(function()
    for _ = 1, 2 do
      local oldest = redis.call('ZRANGE', finished, 0, 0, 'WITHSCORES')
      if not oldest[1] then
        return
      end
      if redis.call('ZCARD', finished) <= keep and tonumber(oldest[2]) > now_ms - keep_ms then
        return
      end
      redis.call('DEL', job_prefix .. oldest[1])
      redis.call('ZREM', finished, oldest[1])
    end
  end)
end
