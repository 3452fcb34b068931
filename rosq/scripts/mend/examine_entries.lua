-- Say which entries of a lane, or of its pending list, have no job that knows of them. Only reads.
-- KEYS[1] the lane (STREAM)   KEYS[2] delayed (ZSET)   then for each entry: its job (HASH), that job's lane as the
--   caller saw it (STREAM), the hold of that job's worker as the caller saw it (HASH)
-- ARGV[1] the lane's name   then for each entry: its id, its job's id ('' where the entry is gone), name of the job's
--   lane, name of the job's worker, each '' where there is none
-- Returns for each entry a kind of rosq/mend/half_states.py, or ''. One whose job has moved since is told as sound.
-- Replay: looks again.
-- @include half_states
local result = {}
for i = 3, #KEYS, 3 do
  local at = 2 + (i - 3) / 3 * 4
  local entry_id, job_id = ARGV[at], ARGV[at + 1]
  local seen = look_at_job(KEYS[i], job_id, KEYS[2], KEYS[i + 1], ARGV[at + 2], KEYS[i + 2], ARGV[at + 3])
  result[#result + 1] = seen and judge_entry(seen, KEYS[1], ARGV[1], entry_id) or ''
end
return result
