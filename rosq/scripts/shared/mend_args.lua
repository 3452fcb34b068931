-- @include half_states
-- @include event
-- What every mending script gets first.
-- KEYS[1] events (STREAM)   KEYS[2] delayed (ZSET)   KEYS[3] completed (ZSET)   KEYS[4] failed (ZSET)   KEYS[5]
--   cancelled (ZSET)   KEYS[6] names of lanes (SET)   KEYS[7] job (HASH)   KEYS[8] its lane as the caller saw it (STREAM)
--   KEYS[9] the hold of its worker as the caller saw it (HASH)
-- ARGV[1] max events   ARGV[2] kind that was found, of rosq/mend/half_states.py   ARGV[3] job id   ARGV[4] name of the lane in
--   KEYS[8]   ARGV[5] name of the worker of KEYS[9]   ARGV[6] who   ARGV[7] why
local events, delayed, lanes = KEYS[1], KEYS[2], KEYS[6]
local finished = { completed = KEYS[3], failed = KEYS[4], cancelled = KEYS[5] }
local job, lane, hold = KEYS[7], KEYS[8], KEYS[9]
local max_events, kind, job_id, lane_name, worker_name = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

-- The job as it stands, where it is in that half-state still; else nil.
local function see_again()
  local seen = look_at_job(job, job_id, delayed, lane, lane_name, hold, worker_name)
  return seen and judge_job(seen, finished, lanes)[kind] and seen or nil
end

-- Tell what was done about it.
local function tell(mend, ...)
  record(events, max_events, 'repaired', 'kind', kind, 'job_id', job_id, 'mend', mend, 'by', ARGV[6], 'reason',
    ARGV[7], ...)
end
