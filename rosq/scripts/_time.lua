-- Now, by the server's clock. In µs it is above 2^50: print it with %.0f only, or digits are lost.
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now_ms = math.floor(now_us / 1000)
