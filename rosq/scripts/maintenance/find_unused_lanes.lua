-- Say which of some lanes have been of no use to anybody for long. Only reads.
-- KEYS[1..] lanes (STREAM)
-- ARGV[1] for how long, integer ms
-- Returns their numbers, from 1.
-- Replay: looks again.
-- @include time
-- @include unused
local found, unused_ms = {}, tonumber(ARGV[1])
for i, lane in ipairs(KEYS) do
  if is_unused(lane, unused_ms, now_ms) then
    found[#found + 1] = i
  end
end
return found
