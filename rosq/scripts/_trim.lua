-- @include _time
-- @include _worker_args

-- Forget the oldest finished jobs beyond what is kept, at most two a call. Their hashes can't be declared: last, under
-- pcall.
local function trim(finished, keep, keep_ms)
  pcall(function()
    local count = redis.call('ZCARD', finished)
    local oldest = redis.call('ZRANGE', finished, 0, 1, 'WITHSCORES')
    for i = 1, #oldest, 2 do
      if count <= keep and tonumber(oldest[i + 1]) > now_ms - keep_ms then
        return
      end
      redis.call('DEL', job_prefix .. oldest[i])
      redis.call('ZREM', finished, oldest[i])
      count = count - 1
    end
  end)
end
