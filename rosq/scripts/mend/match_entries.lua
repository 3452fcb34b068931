-- Say which entries of a lane their jobs know of, as nearly all do; the others want a closer look. Only reads.
-- KEYS[1..] each entry's job (HASH)
-- ARGV[1] the lane's name   then for each entry: its id
-- Returns 1 or 0 for each.
-- Replay: looks again.
-- @include lane
local result = {}
for i, job in ipairs(KEYS) do
  local found = redis.pcall('HMGET', job, 'entry_id', 'lane', 'state')
  if found.err and not string.find(found.err, 'WRONGTYPE', 1, true) then
    return found
  end
  local is_its_place = found[1] == ARGV[i + 1] and (found[2] or MAIN_LANE) == ARGV[1]
  local is_known = is_its_place and (found[3] == 'waiting' or found[3] == 'active')
  result[i] = is_known and 1 or 0
end
return result
