-- What every script of the read loop gets first. What is the same for all calls of a process isn't sent with each: it
-- stands in the script as a constant (rosq/script.py), here LEASE_MS, MAX_EVENTS, MAX_CRASHES, KEEP_DELIVERIES and
-- REMEMBER_MS (how long a forgotten id counts as a duplicate). And what is the same for most calls of a worker stands
-- before what isn't, so that it is packed once (rosq/connection/line.py).
-- KEYS[1] the worker's hold on its name (HASH)   KEYS[2] events (STREAM)   KEYS[3] meta (HASH)
-- KEYS[4] delayed (ZSET)   KEYS[5] timer bell (LIST)   KEYS[6] failed (ZSET)
-- From KEYS[`first_lane`] on a lane (STREAM) and its bell (LIST) for each lane that is read, then the lanes (STREAM) that
--   may only hold the caller's own pending job, then the settled job, if there is one
-- ARGV[1] worker's name = consumer   ARGV[2] token of this process's hold
-- ARGV[3] token for the next delivery: that of the hold, and what makes it another for each delivery
-- ARGV[4] mostly '': what isn't as usual, in this order. Letters: s the caller has slept on the bells since its last fetch
--   and so may have taken a token · d say when the next delayed job is due, even if there is a job · t forget finished
--   jobs beyond what is kept · n fetch nothing, no lane is named. Digits: how many lanes have no bell. A colon and the
--   token of a delivery of this process that overran its time. With any of these it is looked whether the queue is paused
-- As locals, since looking up a global takes longer than reading from it.
local keys, args = KEYS, ARGV
local worker, events, meta, delayed, timer_bell, failed = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
local name, instance, hints = args[1], args[2], args[4]
