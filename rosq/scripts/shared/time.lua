-- Now, by the server's clock. In µs it is above 2^50: as an argument of redis.call or a number in an answer it is exact;
-- made text with .. or tostring, digits are lost: there use %.0f.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = (now_us - now_us % 1000) / 1000
