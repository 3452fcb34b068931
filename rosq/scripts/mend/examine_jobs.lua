-- Say what contradicts itself about jobs. Only reads.
-- KEYS[1] delayed (ZSET)   KEYS[2] completed (ZSET)   KEYS[3] failed (ZSET)   KEYS[4] cancelled (ZSET)
-- KEYS[5] names of lanes (SET)   then for each job: job (HASH), its lane as the caller saw it (STREAM), the hold of its worker as the caller saw it (HASH)
-- ARGV[1] '1' looks into a sorted set only where a job's state says that it is there   then for each job: id, name of that lane, name of that worker, each '' where the hash has none
-- Returns for each job: the kinds of rosq/mend/half_states.py, with blanks between them, or ''; and a mark, the same as long
--   as nobody renewed its lease. One that has moved since is told as sound.
-- Replay: looks again.
-- @include half_states
local finished = { completed = KEYS[2], failed = KEYS[3], cancelled = KEYS[4] }
local result = {}
for i = 6, #KEYS, 3 do
  local at = i - 4
  local seen = look_at_job(KEYS[i], ARGV[at], KEYS[1], KEYS[i + 1], ARGV[at + 1], KEYS[i + 2], ARGV[at + 2],
    ARGV[1] == '1')
  local names = {}
  for kind in pairs(seen and judge_job(seen, finished, KEYS[5]) or {}) do
    names[#names + 1] = kind
  end
  table.sort(names)
  result[#result + 1] = table.concat(names, ' ')
  result[#result + 1] = seen and seen.mark or ''
end
return result
