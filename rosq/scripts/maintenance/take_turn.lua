-- Take the turn of a service, or keep it, and note that the server answers.
-- KEYS[1] the turn (STRING, with time to live)   KEYS[2] since when the server has answered without a gap, ms (STRING,
--   with time to live)
-- ARGV[1] token of the caller   ARGV[2] life of the turn, integer ms   ARGV[3] 1: the caller has it, and keeps it
-- ARGV[4] time without an answer that is a gap, integer ms   ARGV[5] how long there must have been none, integer ms
-- Returns 1 the turn is the caller's · 0 it is another's, or it is too early
-- Replay: a turn that the lost call took is told as another's, and comes again when its life is over.
-- Both keys say nothing that lasts: whatever else lies under them is written over.
-- @include time
local function read(key)
  local found = redis.pcall('GET', key)
  return type(found) == 'string' and found or nil
end

-- A key with time to live is as old as the data around it, so after a failover, or on a server that came back with old
-- data, the gap is as long as the leases on it are old. And a clock that jumps ahead makes a gap too.
local since_ms = tonumber(read(KEYS[2]) or '')
if not since_ms or since_ms > now_ms then
  since_ms = now_ms
end
redis.call('SET', KEYS[2], string.format('%.0f', since_ms), 'PX', ARGV[4])

local holder = read(KEYS[1])
local is_free = not holder and now_ms - since_ms >= tonumber(ARGV[5])
if not (is_free or ARGV[3] == '1' and (holder or ARGV[1]) == ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
