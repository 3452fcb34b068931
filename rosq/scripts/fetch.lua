-- Give the caller its next job: its own pending one if there is one, else the next of its lanes.
-- KEYS[1..7], ARGV[1..14] see _worker_args; KEYS[8..] pairs of lane (STREAM) and bell (LIST)
-- Returns 1 and what _fetch says. Replay: the job of a lost reply comes again as a new delivery, never a second one.
-- Events started, crashed, failed, dropped
-- @include _fetch
return fetch(1, 8)
