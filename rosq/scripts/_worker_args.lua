-- What every script of the read loop gets first.
-- KEYS[1] the worker's hold on its name (HASH)   KEYS[2] events (STREAM)   KEYS[3] meta (HASH)
-- KEYS[4] delayed (ZSET)   KEYS[5] timer bell (LIST)   KEYS[6] completed (ZSET)   KEYS[7] failed (ZSET)
-- ARGV[1] worker's name = consumer   ARGV[2] token of this process's hold   ARGV[3] token for the next delivery
-- ARGV[4] lease, integer ms   ARGV[5] prefix of job keys   ARGV[6] max crashes   ARGV[7] max events
-- ARGV[8] completed jobs kept   ARGV[9] for integer ms   ARGV[10] failed jobs kept   ARGV[11] for integer ms
-- ARGV[12] how many of the lanes at the end of KEYS are read; -1 fetches nothing
-- ARGV[13] token of a delivery of this process that overran its time, or ''
-- ARGV[14] '1' if the caller has slept on the bells since its last fetch and so may have taken a token
local worker, events, meta, delayed, timer_bell = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local completed, failed = KEYS[6], KEYS[7]
local name, instance, next_token = ARGV[1], ARGV[2], ARGV[3]
local lease_ms, job_prefix = tonumber(ARGV[4]), ARGV[5]
local max_crashes, max_events = tonumber(ARGV[6]), ARGV[7]
local lanes_read, overran, has_slept = tonumber(ARGV[12]), ARGV[13], ARGV[14] == '1'
