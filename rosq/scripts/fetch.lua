-- Give the caller its next job: its own pending one if there is one, else the next of its lanes.
-- KEYS[1..6], ARGV[1..6] see _worker_args; KEYS[7..] lanes
-- Returns 1 and what _fetch says. Replay: the job of a lost reply comes again as a new delivery, never a second one.
-- Events started, crashed, failed, dropped
-- @include _worker_args
-- @include _time
local code, first_lane, told, finished, keep, keep_ms = 1, 7, nil, nil, nil, nil
-- @include _fetch
