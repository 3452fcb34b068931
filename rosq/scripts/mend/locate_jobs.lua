-- Say where jobs lie and who has them, so that the keys of the next script can be declared. Only reads.
-- KEYS[1..] each job (HASH)
-- Returns for each job its lane's name and its worker's, '' where it has none; 'not a hash' twice where it is none: no
--   name has blanks.
-- Replay: looks again.
-- @include lane
local result = {}
for _, job in ipairs(KEYS) do
  local found = redis.pcall('HMGET', job, 'lane', 'worker')
  if found.err and not string.find(found.err, 'WRONGTYPE', 1, true) then
    return found
  end
  result[#result + 1] = found.err and 'not a hash' or found[1] or MAIN_LANE
  result[#result + 1] = found.err and 'not a hash' or found[2] or ''
end
return result
